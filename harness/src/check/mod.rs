//! The checks: one per file, in one folder per group.
//!
//! Each check states its requirement, its stimulus and when it applies. A check never decides that
//! a failure is final: the runner repeats it on a fresh server, examines whether the server died,
//! applies promises and waivers, and runs the check on the reference server if the machine could be
//! at fault.
//!
//! To add a check, add a file with an `ENTRY` and a line in its group's list.

pub(crate) mod blockers;
mod busy;
pub(crate) mod cause;
mod closing;
mod cx;
#[cfg(feature = "cli")]
mod explained;
mod fair;
pub(crate) mod matrix;
mod needs;
mod next;
mod outcome;
mod plan;
mod room;
pub(crate) mod run;
mod stall;
mod way;

mod abrupt;
mod backpressure;
mod concurrency;
mod encoding;
mod framing;
mod idle;
mod kernel;
mod latency;
mod life;
mod limits;
mod proxy;
mod resources;
mod soak;
mod tls;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

pub(crate) use cause::Cause;
pub(crate) use cx::Cx;
#[cfg(feature = "cli")]
pub(crate) use explained::Explained;
pub(crate) use needs::{Given, Need, Unmet, grouped, remedies};
pub(crate) use outcome::{
    Ascribe, Checked, Failure, FailureKind, Outcome, Ran, Seen, Shortfall, Verdict, failed,
    inconclusive, skip, warned,
};
pub(crate) use plan::{CheckPlan, Division, Effort, LANES, PlannedWaiver, Selection, divide};

/// The battery of this version. A check added later has a higher number and only warns until
/// `[check] battery` in the file is raised.
pub(crate) const BATTERY: u32 = 1;

/// Where a check runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// On the lane's server, shared with other checks.
    Shared,
    /// On a server of which these system calls can be given other results. One with a filter of
    /// [`Interruptible`](crate::process::CallSet::Interruptible) is shared with the other checks of this kind in the lane.
    Injected(crate::process::CallSet),
    /// On a fresh server, concurrently with other lanes.
    OwnServer,
    /// On a fresh server while nothing else runs: the check measures time, CPU or memory.
    AloneOnMachine,
}

/// How severe a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// The verdict is fail.
    Fails,
    /// The verdict is fail, but warn for what the server has left behind: the stimulus is rare, and costs a connection at most.
    FailsAtOnce,
    /// The verdict is warn.
    Warns,
    /// The verdict is warn unless the file makes this promise.
    WarnsUnless(Promised),
}

/// A promise that turns a warning into a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promised {
    /// `promise.drains_on_stop = true`.
    DrainsOnStop,
}

/// One check: its description and the function that runs it.
pub struct Check {
    /// Stable kebab-case id.
    pub id: &'static str,
    /// Name of the group, as displayed.
    pub(crate) group: &'static str,
    /// The battery that introduced this check. It only warns for files written for an older
    /// battery.
    pub(crate) battery: u32,
    /// What must hold, and the source of the requirement.
    pub requirement: &'static str,
    /// What the client does on the wire.
    pub(crate) stimulus: &'static str,
    /// Conditions under which the check applies.
    pub(crate) needs: &'static [Need],
    /// Where it runs.
    pub runs: Runs,
    /// How severe a failure is.
    pub(crate) weight: Weight,
    /// Whether a failure counts only if the reference server passes the same check on the same
    /// machine.
    pub(crate) control: bool,
    /// Maximum duration of one attempt.
    pub(crate) limit: Duration,
    /// The stimulus as a shell command (sh and python3) for a reader without tcprove; see `run/by_hand.rs`. Connections
    /// perform what precedes the plain turn, except `{bare}` ones. Placeholders: `{host}`, `{port}`, `{request}` (the
    /// bytes of the plain turn), `{opening}` (a list of the requests of the opening), `{payload(EXPRESSION)}` (a request with
    /// this payload), `{overhead}` (its bytes besides the payload), `{limit}`, `{connections}`, `{size}`, `{huge}` (a tuple of headers),
    /// `{top}` (CPU usage of the processes of `$p`) and `{cmd}` (the server's command; the server is started
    /// beforehand as `$p` if the text does not contain it).
    pub(crate) by_hand: &'static str,
    /// Runs one attempt.
    pub(crate) run: for<'a> fn(&'a Cx) -> Pin<Box<dyn Future<Output = Checked> + 'a>>,
}

impl Check {
    /// The name of its group, as displayed.
    pub fn group(&self) -> &'static str {
        self.group
    }
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
        idle::CHECKS,
        abrupt::CHECKS,
        resources::CHECKS,
        kernel::CHECKS,
        latency::CHECKS,
        soak::CHECKS,
        tls::CHECKS,
        proxy::CHECKS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

impl Check {
    /// The protocol of the reference server on which it can be repeated.
    pub(crate) fn control_protocol(&self) -> &'static str {
        match self.needs.contains(&Need::LengthField) {
            true => "frame",
            false => "line",
        }
    }
}

/// Finds a check by id.
pub(crate) fn find(id: &str) -> Option<&'static Check> {
    all().find(|check| check.id == id)
}
