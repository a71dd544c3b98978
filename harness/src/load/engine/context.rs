//! What goes into an engine thread, and what comes out of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::{RunState, Tally, ThreadUsage};
use crate::load::pacer::{Pacer, Segment};
use crate::load::recorder::{Times, Window};
use crate::load::script::{Script, ScriptError, payload};
use crate::load::workload::{Loop, Workload};
use crate::talk::Talk;

/// What an engine thread is to do.
#[derive(Debug)]
pub struct EngineContext<'a> {
    /// The load, of all threads together.
    pub workload: &'a Workload,
    /// The conversation.
    pub talk: &'a Talk,
    /// What its templates may name besides token and payload.
    pub values: BTreeMap<String, Vec<u8>>,
    /// Bytes of `{payload}`.
    pub payload: Vec<u8>,
    /// Where the server is.
    pub addr: SocketAddr,
    /// RunState with the other threads.
    pub run_state: &'a RunState,
}

/// What one thread measured.
#[derive(Debug)]
pub struct Measured {
    /// Times by window.
    pub windows: Vec<Window>,
    /// Waiting times of requests that got no reply.
    pub unanswered: Times,
    /// Lateness of sends that is ours.
    pub lag: Times,
    /// Counts.
    pub tally: Tally,
    /// What the thread itself used in the measured period.
    pub usage: ThreadUsage,
}

/// Why an engine thread cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The talk cannot be said over and over.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The kernel refused something.
    #[error("no epoll instance: {0}")]
    Epoll(#[from] std::io::Error),
}

impl<'a> EngineContext<'a> {
    /// EngineContext for this load; its payload is made here.
    pub fn new(
        workload: &'a Workload,
        talk: &'a Talk,
        values: BTreeMap<String, Vec<u8>>,
        addr: SocketAddr,
        run_state: &'a RunState,
    ) -> Self {
        Self {
            payload: payload(workload.payload_bytes, workload.seed),
            workload,
            talk,
            values,
            addr,
            run_state,
        }
    }
}

impl EngineContext<'_> {
    /// The turns with these values for their names.
    pub(super) fn script(&self, values: &BTreeMap<String, Vec<u8>>) -> Result<Script, ScriptError> {
        let workload = self.workload;
        Script::compile(
            self.talk,
            &workload.turns,
            &self.payload,
            values,
            workload.verify,
            workload.seed,
        )
    }
}

/// The part of `whole` that falls to thread `thread` of `threads`.
pub(super) fn share(whole: usize, thread: usize, threads: usize) -> usize {
    whole / threads + usize::from(thread < whole % threads)
}

pub(super) fn pacer(workload: &Workload, thread: usize) -> Option<Pacer> {
    let Loop::Open {
        rate,
        rate_to,
        arrivals,
    } = workload.pace
    else {
        return None;
    };
    let segment = |length: Duration, from, to| Segment {
        seconds: length.as_secs_f64(),
        from,
        to,
    };
    let mut segments = vec![segment(workload.warmup, rate, rate)];
    match workload.surge {
        None => segments.push(segment(workload.duration, rate, rate_to)),
        Some(surge) => {
            let after = workload.duration.saturating_sub(surge.at + surge.length);
            segments.push(segment(surge.at, rate, rate));
            segments.push(segment(surge.length, surge.rate, surge.rate));
            segments.push(segment(after, rate, rate));
        }
    }
    segments.retain(|segment| segment.seconds > 0.0);
    Some(Pacer::new(
        segments,
        arrivals,
        thread,
        workload.threads,
        workload.seed,
    ))
}
