//! Events of a run, for live progress. No verdict depends on them.

use std::time::Duration;

/// Version of the set of events.
pub const VERSION: u32 = 1;

/// An event of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The rehearsal started.
    Rehearsing,
    /// The battery started.
    Started {
        /// Number of checks to run.
        checks: usize,
    },
    /// A check started.
    CheckStarted {
        /// Id of the check.
        id: &'static str,
    },
    /// A check failed once and waits for its confirmation.
    Failing {
        /// Id of the check.
        id: &'static str,
    },
    /// A failed check is repeated alone on a fresh server.
    Confirming {
        /// Id of the check.
        id: &'static str,
    },
    /// The same check runs on the reference server.
    Controlling {
        /// Id of the check.
        id: &'static str,
    },
    /// Progress of a load.
    Load {
        /// Time since its first request; `None` while connections are opened.
        elapsed: Option<Duration>,
        /// Number of open connections.
        connections: usize,
        /// Number of replies so far, including the warm-up.
        ops: u64,
        /// Number of wrong replies, lost connections and failed connects.
        troubles: u64,
    },
    /// Progress of a run that consists of consecutive steps: the visits of a sweep, the sessions of
    /// a gate.
    Step {
        /// Number of completed steps.
        done: usize,
        /// Number of steps, as far as known.
        all: usize,
        /// The current step.
        what: String,
    },
    /// Progress of a fuzz campaign.
    Fuzz {
        /// Time since its first case.
        elapsed: Duration,
        /// Number of cases so far.
        executions: u64,
        /// Current number of cases per second.
        per_s: f64,
        /// Number of findings so far.
        findings: usize,
        /// Number of server starts so far.
        restarts: u64,
        /// Number of cases in the corpus.
        corpus: usize,
        /// What a lane does other than fuzzing: confirm or minimize a finding.
        busy: Option<String>,
    },
    /// A fuzz campaign has chosen what guides it.
    Guided {
        /// What it is and why, in one line.
        by: String,
    },
    /// A finding was confirmed.
    Found {
        /// The finding in one line.
        what: String,
    },
    /// A check finished.
    CheckDone {
        /// Id of the check.
        id: &'static str,
        /// The verdict as one word.
        verdict: &'static str,
        /// Whether the check failed, waived or not.
        failed: bool,
        /// Total duration of all attempts.
        duration: Duration,
    },
}

/// Receives events, from several threads.
pub type Sink<'a> = &'a (dyn Fn(Event) + Sync);
