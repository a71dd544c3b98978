//! What an engine thread counts beside times.

use crate::text::escape;

/// How many troubles are kept with their words.
const KEPT: usize = 8;

/// Counts over the whole load, warm-up included unless it is said otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests handed to the kernel.
    pub requests: u64,
    /// Replies that were not what they had to be.
    pub wrong: u64,
    /// Connections that ended unexpectedly.
    pub lost: u64,
    /// Connections that were closed as planned, by churn or by the talk.
    pub planned_closes: u64,
    /// Closes that the server announced.
    pub announced_closes: u64,
    /// Connects that failed.
    pub connect_failures: u64,
    /// Those of them for which we had no descriptor or port left.
    pub connects_lacking: u64,
    /// Connections opened, openings done.
    pub connects: u64,
    /// Connections that were wanted and not there when the load began.
    pub missing: u64,
    /// Requests of the measured period that were due and never sent.
    pub unsent: u64,
    /// Requests that were due in the measured period (open loop).
    pub due: u64,
    /// Bytes sent and received in the measured period.
    pub bytes: (u64, u64),
    /// The first troubles, in words.
    pub troubles: Vec<String>,
}

impl Tally {
    /// Keeps the words of a trouble, if there are not enough yet.
    pub fn note(&mut self, trouble: impl FnOnce() -> String) {
        if self.troubles.len() < KEPT {
            self.troubles.push(trouble());
        }
    }

    /// All troubles so far.
    pub fn trouble_count(&self) -> u64 {
        self.wrong + self.lost + self.connect_failures
    }

    /// Adds what another thread counted.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.wrong += other.wrong;
        self.lost += other.lost;
        self.planned_closes += other.planned_closes;
        self.announced_closes += other.announced_closes;
        self.connect_failures += other.connect_failures;
        self.connects_lacking += other.connects_lacking;
        self.connects += other.connects;
        self.missing += other.missing;
        self.unsent += other.unsent;
        self.due += other.due;
        self.bytes.0 += other.bytes.0;
        self.bytes.1 += other.bytes.1;
        for trouble in &other.troubles {
            self.note(|| trouble.clone());
        }
    }
}

/// What came instead of a reply, in a few words.
pub(super) fn mismatch_text(expected: &str, got: &[u8]) -> String {
    format!("expected {expected}, got \"{}\"", escape(got, 80))
}
