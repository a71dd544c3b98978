//! A sweep of the results of system calls whose cases were tried in several parts.

use serde::Deserialize;

use super::{Incomplete, Kind, MergeError, PartReport};
use crate::check::run::sweep::{CallSweepResult, union};
use crate::report::{Body, CallSweepReport};

/// Sweeps of the results of system calls.
pub(super) const KIND: Kind = Kind {
    command: "check",
    name: "sweep of calls",
    how: "`tcprove check --sweep --shard I/N --json FILE`",
    number: "/shard",
    incomplete: Incomplete::Refused,
    whole,
};

/// The sweep of which these are the parts.
///
/// # Errors
/// The servers of two parts made other calls, so that other cases were divided.
fn whole(parts: &[PartReport], _missing: &[usize]) -> Result<Body, MergeError> {
    let read = |part: &PartReport| {
        CallSweepResult::deserialize(&part.json["sweep"])
            .map_err(|error| part.unfit(format!("its rows cannot be read: {error}")))
    };
    let results: Result<Vec<_>, _> = parts.iter().map(read).collect();
    let result = union(&results?).map_err(|(one, other, what)| {
        MergeError::Apart(format!(
            "the cases of {} and {} are not those of one sweep; they differ in {what}",
            parts[one].name(),
            parts[other].name()
        ))
    })?;
    Ok(Body::Calls(Box::new(CallSweepReport { result })))
}
