//! The checks: one file each, in folders by group.
//!
//! A check quotes its requirement, says what it does on the wire and when it does not apply, and
//! reads as prose. It never decides on its own that a failure is final: the runner repeats it on a
//! fresh server, looks whether the target died, applies promises and waivers, and asks the sound
//! reference server where the machine itself could be at fault.
//!
//! To add a check: one new file with an `ENTRY`, one line in its group's list.

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

/// The battery that this version runs. A check added later carries a higher number and only warns
/// until the file's `[check] battery` is raised.
pub const BATTERY: u32 = 1;

/// Where a check runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// On the lane's server, after other checks.
    Shared,
    /// On a fresh server of its own, beside other lanes.
    OwnServer,
    /// On a fresh server of its own, with nothing else going on: it measures time, CPU or memory.
    AloneOnMachine,
}

/// How much a shortfall weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It fails.
    Fails,
    /// It warns.
    Warns,
    /// It warns unless the file promises what the check asks for.
    WarnsUnless(Promised),
}

/// A promise that turns warnings into failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promised {
    /// `promise.drains_on_stop = true`.
    DrainsOnStop,
}

/// One check: data, and the function that does it.
pub struct Check {
    /// Stable kebab-case id, never an ordinal.
    pub id: &'static str,
    /// The group, as shown.
    pub group: &'static str,
    /// The battery that this check came with; it only warns for files of an older one.
    pub battery: u32,
    /// What must hold, with its source.
    pub requirement: &'static str,
    /// What the client does on the wire.
    pub stimulus: &'static str,
    /// What must be there for the check to apply.
    pub needs: &'static [Need],
    /// Where it runs.
    pub runs: Runs,
    /// How much a shortfall weighs.
    pub weight: Weight,
    /// A failure must be shown to be the server's and not the machine's: the reference server
    /// passes the same stimulus.
    pub control: bool,
    /// The whole check ends within this.
    pub limit: Duration,
    /// The stimulus as a shell command (sh and python3), for a reader who has only the server.
    /// Filled in: `{host}`, `{port}`, `{request}` (a Python expression for the bytes of the plain
    /// turn) and `{cmd}` (the server's command; where it is not used, the server is started first).
    pub by_hand: &'static str,
    /// The check itself.
    pub run: for<'a> fn(&'a Cx) -> Pin<Box<dyn Future<Output = Checked> + 'a>>,
}

/// Every check, group by group, in the order in which they are shown.
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

/// The check with this id.
pub fn find(id: &str) -> Option<&'static Check> {
    all().find(|check| check.id == id)
}
