//! The checks: one per file, in one folder per group.
//!
//! Each check states its requirement, its stimulus and when it applies. A check never decides that
//! a failure is final: the runner repeats it on a fresh server, examines whether the server died,
//! applies promises and waivers, and runs the check on the reference server if the machine could be
//! at fault.
//!
//! To add a check, add a file with an `ENTRY` and a line in its group's list.

mod cx;
pub mod matrix;
mod needs;
mod outcome;
mod plan;
pub mod run;

pub mod abrupt;
pub mod backpressure;
pub mod concurrency;
pub mod encoding;
pub mod framing;
pub mod latency;
pub mod life;
pub mod limits;
pub mod resources;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

pub use cx::Cx;
pub use needs::Need;
pub use outcome::{
    Ascribe, Checked, Failure, Kind, Outcome, Shortfall, Verdict, failed, inconclusive, skip,
    warned,
};
pub use plan::{CheckPlan, LANES, Selection, Shard};

/// The battery of this version. A check added later has a higher number and only warns until
/// `[check] battery` in the file is raised.
pub const BATTERY: u32 = 1;

/// Where a check runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// On the lane's server, shared with other checks.
    Shared,
    /// On a fresh server, concurrently with other lanes.
    OwnServer,
    /// On a fresh server while nothing else runs: the check measures time, CPU or memory.
    AloneOnMachine,
}

/// How severe a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The verdict is fail.
    Fails,
    /// The verdict is warn.
    Warns,
    /// The verdict is warn unless the file makes this promise.
    WarnsUnless(Promised),
}

/// A promise that turns a warning into a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promised {
    /// `promise.drains_on_stop = true`.
    DrainsOnStop,
}

/// One check: its description and the function that runs it.
pub struct Check {
    /// Stable kebab-case id.
    pub id: &'static str,
    /// Name of the group, as displayed.
    pub group: &'static str,
    /// The battery that introduced this check. It only warns for files written for an older
    /// battery.
    pub battery: u32,
    /// What must hold, and the source of the requirement.
    pub requirement: &'static str,
    /// What the client does on the wire.
    pub stimulus: &'static str,
    /// Conditions under which the check applies.
    pub needs: &'static [Need],
    pub runs: Runs,
    /// How severe a failure is.
    pub weight: Weight,
    /// Whether a failure counts only if the reference server passes the same check on the same
    /// machine.
    pub control: bool,
    /// Maximum duration of one attempt.
    pub limit: Duration,
    /// The stimulus as a shell command (sh and python3) for a reader without tcprove. Placeholders:
    /// `{host}`, `{port}`, `{request}` (a Python expression for the bytes of the plain turn) and
    /// `{cmd}` (the server's command; the server is started beforehand if the text does not contain
    /// it).
    pub by_hand: &'static str,
    /// Runs one attempt.
    pub run: for<'a> fn(&'a Cx) -> Pin<Box<dyn Future<Output = Checked> + 'a>>,
}

/// All checks, in display order.
pub fn all() -> impl Iterator<Item = &'static Check> {
    [
        life::CHECKS,
        framing::CHECKS,
        encoding::CHECKS,
        limits::CHECKS,
        concurrency::CHECKS,
        backpressure::CHECKS,
        abrupt::CHECKS,
        resources::CHECKS,
        latency::CHECKS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Finds a check by id.
pub fn find(id: &str) -> Option<&'static Check> {
    all().find(|check| check.id == id)
}
