//! What happens in a run, as it happens. Only live progress reads it; no verdict depends on it.

use std::time::Duration;

/// Version of this vocabulary.
pub const VERSION: u32 = 1;

/// Something happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The conversation is being tried on a clean server.
    Trying,
    /// The battery begins.
    Started {
        /// How many checks will be run.
        checks: usize,
    },
    /// A check began.
    CheckStarted {
        /// Its id.
        id: &'static str,
    },
    /// A check failed once, and waits until it can be repeated.
    Failing {
        /// Its id.
        id: &'static str,
    },
    /// A check failed once and is repeated alone on a fresh server.
    Confirming {
        /// Its id.
        id: &'static str,
    },
    /// The same stimulus is put to the sound reference server.
    Controlling {
        /// Its id.
        id: &'static str,
    },
    /// How far a load has come.
    Load {
        /// Since its first request; `None` while connections are opened.
        elapsed: Option<Duration>,
        /// Connections that are open.
        connections: usize,
        /// Replies so far, warm-up included.
        ops: u64,
        /// Wrong replies, lost connections, connects that failed.
        troubles: u64,
    },
    /// How far a run has come that takes one step after the other: the visits of a sweep, the sessions of
    /// a gate.
    Step {
        /// Steps that are done.
        done: usize,
        /// Steps in all, as far as is known.
        all: usize,
        /// What is done now.
        what: String,
    },
    /// How far a campaign has come.
    Fuzz {
        /// Since its first case.
        elapsed: Duration,
        /// Cases so far.
        executions: u64,
        /// The same per second, lately.
        per_s: f64,
        /// Findings so far.
        findings: usize,
        /// Lives of the server so far.
        restarts: u64,
        /// Cases in the corpus.
        corpus: usize,
        /// What a lane does besides fuzzing: it confirms a finding, or makes it smaller.
        busy: Option<String>,
    },
    /// Something was found, and is confirmed.
    Found {
        /// What, in one line.
        what: String,
    },
    /// A check came to its verdict.
    CheckDone {
        /// Its id.
        id: &'static str,
        /// Its verdict as one word.
        verdict: &'static str,
        /// Whether it failed, waived or not.
        failed: bool,
        /// Time of all attempts together.
        duration: Duration,
    },
}

/// Where events go. Called from several threads.
pub type Sink<'a> = &'a (dyn Fn(Event) + Sync);
