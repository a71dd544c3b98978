//! The counts of an engine thread.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::packed;
use crate::load::recorder::{Times, times};
use crate::text::escape;

/// Maximum number of failures whose descriptions are kept.
const KEPT: usize = 8;

/// Counts over the whole load, including the warm-up unless a field says otherwise.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Tally {
    /// Requests passed to the kernel.
    pub requests: u64,
    /// Replies that differed from what the talk expects.
    pub wrong: u64,
    /// Connections that ended unexpectedly.
    pub lost: u64,
    /// Connections that were closed as planned, by churn or by the talk.
    pub planned_closes: u64,
    /// Closes that the server announced.
    pub announced_closes: u64,
    /// Connects that failed.
    pub connect_failures: u64,
    /// Connects that failed because the client had no descriptor or port left.
    pub connects_lacking: u64,
    /// Connections that completed their opening.
    pub connects: u64,
    /// Connections that were not open when the load began.
    pub missing: u64,
    /// Requests due in the measured period that were never sent (open loop).
    pub unsent: u64,
    /// Requests due in the measured period that were sent (open loop).
    pub due: u64,
    /// Bytes sent and received in the measured period.
    pub bytes: (u64, u64),
    /// Durations of the TLS handshakes, in nanoseconds; `None` without TLS.
    #[serde(with = "packed::if_any")]
    #[schemars(with = "Option<String>")]
    pub handshakes: Option<Times>,
    /// Descriptions of the first failures.
    pub troubles: Vec<String>,
}

impl Tally {
    /// Records the description of a failure, unless there are enough already.
    pub fn note(&mut self, trouble: impl FnOnce() -> String) {
        if self.troubles.len() < KEPT {
            self.troubles.push(trouble());
        }
    }

    /// Number of failures so far.
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
        if let Some(handshakes) = &other.handshakes {
            // Both have the same range, so that adding does not fail.
            let _ = self.handshakes.get_or_insert_with(times).add(handshakes);
        }
        for trouble in &other.troubles {
            self.note(|| trouble.clone());
        }
    }
}

/// Describes a message that differs from the expected one.
pub(super) fn mismatch_text(expected: &str, got: &[u8]) -> String {
    format!("expected {expected}, got \"{}\"", escape(got, 80))
}
