//! One load that several processes generate, each of them a part of it.
//!
//! A part has its share of the arrivals, connections, tokens and source addresses of the whole load, and all parts start at
//! an agreed time, without talking to each other. What they measured adds up to what one process would have measured.
//! `start.rs` turns the agreed time into the monotonic clock, `folder_clock.rs` compares this machine's clock with that of a
//! shared folder, `peer_clock.rs` with that of another part, `clocks.rs` judges the clocks of all parts, `union.rs` adds up the measurements.

#[cfg_attr(
    not(feature = "cli"),
    expect(dead_code, reason = "only a merge compares clocks")
)]
mod clocks;
#[cfg(feature = "cli")]
mod folder_clock;
#[cfg(feature = "cli")]
mod peer_clock;
#[cfg(test)]
mod simulated;
#[cfg(feature = "cli")]
mod start;
#[cfg(feature = "cli")]
mod union;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::clocks::{ClockRecord, FolderClock};
#[cfg(feature = "cli")]
pub(crate) use self::folder_clock::{Reference, compare};
#[cfg(feature = "cli")]
pub(crate) use self::peer_clock::PeerClock;
#[cfg(feature = "cli")]
pub(crate) use self::start::{begin_at, lead, time_until};
#[cfg(feature = "cli")]
pub(crate) use self::union::Union;
use super::run::Measurement;

/// What the report of a part stores so that it can be merged.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct PartRecord {
    /// Number of the part, starting at 1; 0 for an observer, which generates nothing.
    pub index: usize,
    /// Number of parts; 0 if an observer has written this, which does not know it.
    pub count: usize,
    /// The clock of this machine.
    pub clock: ClockRecord,
    /// What the part measured.
    pub measured: Measurement,
}

/// The parts of a merged load.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema, Serialize)]
pub struct Parts {
    /// Number of parts of the load.
    pub count: usize,
    /// Parts that left no report.
    pub missing: Vec<usize>,
    /// The part that measured the server's CPU time and memory, 0 if an observer did; `None` if none did.
    pub server_from: Option<usize>,
    /// Upper bound of the difference between the clocks of any two parts, in microseconds; `None` if they were not
    /// compared. It is 0 on a single machine.
    pub clocks_apart_us: Option<f64>,
    /// What each part contributes, without an observer.
    pub each: Vec<PartSummary>,
}

/// What a part contributes to the whole.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema, Serialize)]
pub struct PartSummary {
    /// Number of the part, starting at 1.
    pub index: usize,
    /// Replies received in the measured period.
    pub ops: u64,
    /// Replies per second.
    pub ops_per_s: f64,
    /// Median response time, in microseconds.
    pub p50_us: f64,
    /// 99th percentile of the response time, in microseconds.
    pub p99_us: f64,
    /// How long after the agreed time the part started, in microseconds.
    pub late_us: f64,
    /// Whether the part by itself can be trusted.
    pub valid: bool,
}
