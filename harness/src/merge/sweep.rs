//! A sweep whose rounds ran in several parts.

use serde::Deserialize;

use super::{Incomplete, Kind, MergeError, PartReport};
use crate::bench::{Dimension, Measured};
use crate::report::{Body, SweepReport};

/// Sweeps over settings.
pub(super) const KIND: Kind = Kind {
    command: "bench",
    name: "sweep",
    how: "`tcprove bench --shard I/N --json FILE`",
    number: "/shard",
    incomplete: Incomplete::Refused,
    whole,
};

/// What of the plan decides how the rounds are evaluated.
#[derive(Deserialize)]
struct StoredPlan {
    axes: Vec<Dimension>,
}

/// The sweep of which these are the parts: their rounds are put together, and figures and recommendation are computed from all.
///
/// # Errors
/// A part does not store what it has measured, or something else than its plan says.
fn whole(parts: &[PartReport], _missing: &[usize]) -> Result<Body, MergeError> {
    let plan = StoredPlan::deserialize(&parts[0].head.plan)
        .map_err(|error| parts[0].unfit(format!("its plan is not that of a sweep: {error}")))?;
    let mut whole: Option<Measured> = None;
    for part in parts {
        let measured = measured(part, &plan)?;
        match &mut whole {
            Some(whole) => whole.add(&measured).map_err(|why| part.unfit(why))?,
            None => whole = Some(measured),
        }
    }
    let mut whole = whole.ok_or_else(|| MergeError::Apart("no reports were given".into()))?;
    whole.find_equal(&plan.axes);
    Ok(Body::Sweep(Box::new(SweepReport {
        result: whole.result(&plan.axes),
        part: None,
    })))
}

fn measured(part: &PartReport, plan: &StoredPlan) -> Result<Measured, MergeError> {
    let measured = Measured::deserialize(&part.json["part"])
        .map_err(|error| part.unfit(format!("what this part measured cannot be read: {error}")))?;
    match measured.belongs_to(&plan.axes, part.shard) {
        Ok(()) => Ok(measured),
        Err(why) => Err(part.unfit(why)),
    }
}
