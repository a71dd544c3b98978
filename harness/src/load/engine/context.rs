//! Input and output of an engine thread.

use std::collections::BTreeMap;
use std::time::Duration;

use super::courses::Courses;
use super::{RunState, Tally, ThreadUsage};
use crate::load::pacer::{Pacer, Segment};
use crate::load::recorder::{Times, Window};
use crate::load::script::{Script, ScriptError, payload};
use crate::load::workload::{Loop, Workload};
use crate::talk::Talk;
use crate::transport::Endpoint;

/// What all engine threads of a load are given.
#[derive(Debug)]
pub(crate) struct EngineContext<'a> {
    /// The workload of all threads together.
    pub workload: &'a Workload,
    pub talk: &'a Talk,
    /// Values for names in the talk's templates, other than token and payload.
    pub values: BTreeMap<String, Vec<u8>>,
    /// The bytes of `{payload}`.
    pub payload: Vec<u8>,
    /// What connections carry, and in which order.
    pub courses: Courses,
    /// Whether requests are made one by one: they contain `{n}` or `{seq}`, or have an order.
    pub one_by_one: bool,
    /// Where and how to connect to the server.
    pub endpoint: Endpoint,
    /// State shared by all threads of the load.
    pub run_state: &'a RunState,
}

/// What one engine thread measured.
#[derive(Debug)]
pub(crate) struct Measured {
    /// Response and service times per window.
    pub windows: Vec<Window>,
    /// Waiting times of requests that got no reply.
    pub unanswered: Times,
    /// Delays from the intended to the actual send, where the client caused them.
    pub lag: Times,
    pub tally: Tally,
    /// What the thread used in the measured period.
    pub usage: ThreadUsage,
}

/// Why a load cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The talk cannot be compiled.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The epoll instance could not be created.
    #[error("cannot create an epoll instance: {0}")]
    Epoll(#[from] std::io::Error),
}

impl<'a> EngineContext<'a> {
    /// The context of a load; generates its payload.
    pub(crate) fn new(
        workload: &'a Workload,
        talk: &'a Talk,
        values: BTreeMap<String, Vec<u8>>,
        endpoint: &Endpoint,
        run_state: &'a RunState,
    ) -> Self {
        let courses = Courses::new(talk, &workload.turns);
        Self {
            one_by_one: talk.is_personal() || !courses.are_free(),
            courses,
            payload: payload(workload.payload_bytes, workload.seed),
            workload,
            talk,
            values,
            endpoint: endpoint.clone(),
            run_state,
        }
    }
}

impl EngineContext<'_> {
    /// Whether the server closes the connection after this turn of the script.
    pub(super) fn is_last(&self, turn: usize) -> bool {
        let turn = self.courses.turns.get(turn);
        let turn = turn.and_then(|turn| self.talk.turns.get(*turn));
        turn.is_some_and(|turn| turn.order.last)
    }

    /// Whether connections have an opening.
    pub(super) fn has_opening(&self) -> bool {
        self.courses.step(self.talk, 0).is_some()
    }

    /// Compiles the talk with these values for its names.
    pub(super) fn script(&self, values: &BTreeMap<String, Vec<u8>>) -> Result<Script, ScriptError> {
        let workload = self.workload;
        Script::compile(
            self.talk,
            &self.courses.turns,
            &self.payload,
            values,
            workload.verify,
            workload.seed,
        )
    }
}

/// The share of `whole` for thread `thread` of `threads`: thing number k belongs to thread k modulo `threads`.
pub(super) fn share(whole: usize, thread: usize, threads: usize) -> usize {
    whole / threads + usize::from(thread < whole % threads)
}

/// The schedule of an open loop for thread `thread`; `None` for a closed loop.
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
        workload.number_of(thread),
        workload.threads_of_all_parts(),
        workload.seed,
    ))
}
