//! Divides a battery by how long its checks took in an earlier run.

use std::path::Path;

use serde::Deserialize;

use crate::check::{Check, Division, LANES, Runs, Selection, divide};
use crate::data::Shard;
use crate::data::hash::hash_of;
use crate::stats::median;

/// What is read of the JSON report of an earlier run.
#[derive(Deserialize)]
struct Earlier {
    outcomes: Vec<EarlierOutcome>,
}

#[derive(Deserialize)]
struct EarlierOutcome {
    id: String,
    duration_ms: f64,
}

/// The checks of a part, so that all parts take equally long. A check that the earlier run does not have counts as a usual one.
///
/// # Errors
/// The file cannot be read, or is no report of a battery.
pub(super) fn divided(
    path: &Path,
    shard: Shard,
    selection: &Selection,
    checks: impl Iterator<Item = &'static Check>,
) -> Result<Division, String> {
    let earlier = read(path).map_err(|why| {
        format!(
            "--durations {}: {why}\nnext: give the JSON report of an earlier `tcprove check --json FILE`, the same file to every part, or leave --durations out",
            path.display()
        )
    })?;
    let known: Vec<f64> = earlier.iter().map(|outcome| outcome.duration_ms).collect();
    let usual = median(&known).unwrap_or(1.0);
    let cost = |check: &Check| {
        let took = earlier.iter().find(|outcome| outcome.id == check.id);
        let took = took.map_or(usual, |outcome| outcome.duration_ms);
        // Others run beside each other.
        match check.runs {
            Runs::AloneOnMachine => took,
            _ => took / LANES as f64,
        }
    };
    let costs: Vec<_> = checks
        .filter(|check| selection.wants(check.id))
        .map(|check| (check.id, cost(check)))
        .collect();
    let mut parts = divide(&costs, shard.count);
    Ok(Division {
        checks: parts.swap_remove(shard.index - 1),
        durations: hash_of(&costs),
    })
}

fn read(path: &Path) -> Result<Vec<EarlierOutcome>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let earlier: Earlier = serde_json::from_str(&text)
        .map_err(|error| format!("this is no report of a battery: {error}"))?;
    Ok(earlier.outcomes)
}
