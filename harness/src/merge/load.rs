//! A load that several processes generated, each of them a part.

use serde::Deserialize;

use super::{Incomplete, Kind, MergeError, PartReport};
use crate::load::parts::Union;
use crate::load::{PartRecord, Workload};
use crate::report::{Body, LoadReport};

/// Loads. One that lacks a part is told as invalid: the other parts have measured something.
pub(super) const KIND: Kind = Kind {
    command: "load",
    name: "load",
    how: "`tcprove load --part I/N --start-at TIME --json FILE`",
    number: "/part",
    incomplete: Incomplete::Invalid,
    whole,
};

/// The load of which these are the parts.
///
/// # Errors
/// The parts have different seeds, so that they divided different arrivals, or a part stores nothing to merge.
fn whole(parts: &[PartReport], missing: &[usize]) -> Result<Body, MergeError> {
    have_one_seed(parts)?;
    let workload = workload(&parts[0])?;
    let mut union = Union::new(&workload, parts[0].shard.count);
    for part in parts {
        let record = PartRecord::deserialize(&part.json["part"]).map_err(|error| {
            part.unfit(format!("what this part measured cannot be read: {error}"))
        })?;
        union.add(record).map_err(|why| part.unfit(why))?;
    }
    let Some((result, summary)) = union.finish(missing) else {
        return Err(MergeError::Apart("no reports were given".into()));
    };
    Ok(Body::Load(Box::new(LoadReport {
        workload,
        result,
        slo: None,
        overload: None,
        part: None,
        parts: Some(summary),
    })))
}

/// The workload of the whole: the seed is not in the plan.
fn workload(part: &PartReport) -> Result<Workload, MergeError> {
    let planned = Workload::deserialize(&part.head.plan)
        .map_err(|error| part.unfit(format!("its plan is not that of a load: {error}")))?;
    Ok(Workload {
        seed: part.head.seed,
        ..planned
    })
}

fn have_one_seed(parts: &[PartReport]) -> Result<(), MergeError> {
    let other = parts
        .iter()
        .find(|part| part.head.seed != parts[0].head.seed);
    other.map_or(Ok(()), |other| {
        Err(MergeError::Apart(format!(
            "{} and {} are not parts of the same run; they differ in\n  seed: {}, and {}",
            parts[0].name(),
            other.name(),
            parts[0].head.seed,
            other.head.seed
        )))
    })
}
