//! The server under fuzzing as every epoch sees it: its conversation and the limits derived from its pace.

use std::sync::Arc;
use std::time::Duration;

use super::Case;
use super::deadline::Deadline;
use super::wire::Limits;
use crate::subject::{Pace, Rehearsal, Subject};
use crate::talk::{Frame, Talk};

/// Minimum time without an answer to a new client after which a server counts as silent.
const SILENCE: Duration = Duration::from_secs(2);

/// The same limit for a quick look.
const QUICK_SILENCE: Duration = Duration::from_millis(300);

/// A server counts as silent after at least this many times its usual exchange.
const SILENCE_EXCHANGES: u32 = 20;

/// The server under fuzzing.
#[derive(Clone)]
pub(crate) struct FuzzTarget {
    pub subject: Subject,
    /// How fast the rehearsal went.
    pub pace: Pace,
    /// Time limits of a case.
    pub limits: Limits,
    /// The server serves one connection at a time, so other clients always wait.
    pub sequential: bool,
    /// Maximum duration of a canary before the server counts as silent.
    pub silence: Duration,
    /// The other server of a differential campaign.
    pub against: Option<Arc<FuzzTarget>>,
    /// Whether servers are started with a filter of system calls, so that cases can give these other results.
    pub inject: bool,
    /// When everything that uses this target has to end.
    pub deadline: Deadline,
}

impl FuzzTarget {
    /// The target as the rehearsal found it.
    pub(crate) fn new(subject: Subject, rehearsal: &Rehearsal) -> Self {
        Self {
            limits: Limits::of(rehearsal.pace.exchange),
            pace: rehearsal.pace,
            sequential: false,
            silence: SILENCE.max(rehearsal.pace.exchange * SILENCE_EXCHANGES),
            subject,
            against: None,
            inject: false,
            deadline: Deadline::default(),
        }
    }

    pub(crate) fn talk(&self) -> &Talk {
        &self.subject.talk
    }

    /// The frame of the plain turn's reply.
    pub(crate) fn reply(&self) -> &Frame {
        self.talk().plain().reply_frame(self.talk())
    }

    /// Whether tcprove can start a fresh server for every look.
    pub(crate) fn is_fresh(&self) -> bool {
        self.subject.launch().is_some()
    }

    /// The same target with another deadline.
    pub(crate) fn until(&self, deadline: Deadline) -> Self {
        let against = self.against.as_ref();
        Self {
            against: against.map(|other| Arc::new(other.until(deadline.clone()))),
            deadline,
            ..self.clone()
        }
    }

    /// The same target with a filter if one of these cases needs it.
    pub(crate) fn filtered_for(&self, cases: &[Case]) -> Self {
        Self {
            inject: cases.iter().any(Case::injects),
            ..self.clone()
        }
    }

    /// The same target with a short silence limit, for the many runs of the minimizer. Its result is confirmed
    /// with the full limit.
    pub(crate) fn hasty(&self) -> Self {
        Self {
            silence: QUICK_SILENCE.max(self.pace.exchange * SILENCE_EXCHANGES),
            ..self.clone()
        }
    }
}
