//! A visit: one of many short loads on a server that goes on running. A sweep compares settings by them, the loads of a gate compare
//! two servers.

use std::time::Duration;

use super::engine::EngineError;
use super::result::{LoadResult, summarize};
use super::run::Load;
use super::script::payload;
use super::workload::Workload;
use crate::process::{Server, StartFailure, StartOptions};
use crate::subject::{Interrupt, Subject};
use crate::talk::{Bindings, token};

/// Usual measured time. Many short visits are more precise than few long ones, since a disturbance spoils fewer of them.
pub(crate) const MEASURED_USUAL: Duration = Duration::from_millis(120);
/// Minimum measured time, however little time there is.
pub(crate) const MEASURED_LEAST: Duration = Duration::from_millis(60);
/// Minimum warm-up.
pub(crate) const WARMUP_LEAST: Duration = Duration::from_millis(20);
/// Estimated time besides the load: connecting, the last replies, reading the state of both ends.
pub(crate) const VISIT_OVERHEAD: Duration = Duration::from_millis(25);
/// Factor by which the warm-up of the first visit to a fresh server is longer.
const FIRST_WARMUP: u32 = 2;

/// The duration of one visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slice {
    /// Unmeasured load.
    pub warmup: Duration,
    /// Measured load.
    pub measured: Duration,
}

/// A server that is visited.
#[derive(Debug)]
pub(crate) struct Host {
    server: Server,
    /// It has not been visited since its start.
    is_fresh: bool,
}

impl Host {
    pub(crate) fn new(server: Server) -> Self {
        Self {
            server,
            is_fresh: true,
        }
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Puts the load on the server for the time of a visit, whatever duration the workload has. `None` after an interrupt.
    ///
    /// # Errors
    /// The load could not start.
    pub(crate) fn visit(
        &mut self,
        subject: &Subject,
        workload: &Workload,
        slice: Slice,
        interrupt: &Interrupt,
    ) -> Result<Option<LoadResult>, EngineError> {
        let is_first = std::mem::take(&mut self.is_fresh);
        let workload = Workload {
            warmup: slice.warmup * if is_first { FIRST_WARMUP } else { 1 },
            duration: slice.measured,
            ..workload.clone()
        };
        let load = Load {
            begin: None,
            workload: &workload,
            talk: &subject.talk,
            values: subject.values_of(&self.server),
            server: &self.server,
            interrupt,
            // A visit is too short for progress of its own.
            sink: &|_| {},
        };
        let measured = load.run()?;
        Ok((!measured.interrupted).then(|| summarize(&workload, &measured)))
    }
}

/// Starts a server that is compared with others on these cores, within its own time limit and the time `left`.
///
/// # Errors
/// It did not start.
pub(crate) fn start(
    runtime: &tokio::runtime::Runtime,
    subject: &Subject,
    cpus: Option<&[usize]>,
    left: Option<Duration>,
) -> Result<Server, StartFailure> {
    let options = StartOptions {
        cpus: cpus.map(<[usize]>::to_vec),
        // Where a program is loaded makes it faster or slower until it exits: no side and no setting may win by that.
        fixed_addresses: true,
        give_up: left.and_then(|left| Some(left.min(subject.launch()?.ready_timeout))),
        ..StartOptions::default()
    };
    runtime.block_on(subject.server(options))
}

/// Bytes of the longest request among these turns, if one can be rendered without a server.
pub(crate) fn longest_request(
    subject: &Subject,
    turns: &[usize],
    payload_bytes: usize,
    seed: u64,
) -> Option<usize> {
    let talk = &subject.talk;
    let bindings = Bindings {
        tok: token(seed, 0),
        payload: payload(payload_bytes, seed),
        values: subject.values(),
        ..Bindings::default()
    };
    let turns = turns.iter().filter_map(|turn| talk.turns.get(*turn));
    let bytes = |turn: &crate::talk::Exchange| {
        let mut request = Vec::new();
        let rendered = turn.render_request(talk, &bindings, &mut request);
        rendered.ok().map(|()| request.len())
    };
    turns.filter_map(bytes).max()
}
