//! The plan of a battery, a part of the run's plan.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::data::Shard;
use crate::subject::Waiver;

/// Number of lanes. Most checks wait for the server rather than for a CPU.
pub(crate) const LANES: usize = 3;

#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub(crate) struct Selection {
    /// Only checks whose id matches one of these globs; empty selects all.
    pub only: Vec<String>,
    /// No check whose id matches one of these globs.
    pub skip: Vec<String>,
    /// Checks that must reach a verdict.
    pub require: Vec<String>,
    /// The part of the battery that this run covers.
    pub shard: Option<Shard>,
    /// How the battery is divided, if not evenly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub divided: Option<Division>,
}

/// A battery divided by how long its checks take.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub(crate) struct Division {
    /// The checks of the part that this run covers.
    #[serde(skip)]
    pub checks: Vec<&'static str>,
    /// A hash of the durations: parts that were divided by others are not parts of the same whole.
    pub durations: String,
}

impl Selection {
    /// Whether the check with this id is selected. `position` is its index in the battery.
    pub(crate) fn takes(&self, id: &str, position: usize) -> bool {
        let is_of_shard = match (&self.divided, self.shard) {
            (Some(divided), _) => divided.checks.contains(&id),
            (None, Some(shard)) => shard.takes(position),
            (None, None) => true,
        };
        self.wants(id) && is_of_shard
    }

    /// Whether the check with this id is selected, in whichever part.
    pub(crate) fn wants(&self, id: &str) -> bool {
        let any = |globs: &[String]| globs.iter().any(|glob| glob_match::glob_match(glob, id));
        (self.only.is_empty() || any(&self.only)) && !any(&self.skip)
    }

    /// Whether every check is selected. Only then can a waiver be stale.
    pub(crate) fn is_whole(&self) -> bool {
        self.only.is_empty() && self.skip.is_empty() && self.shard.is_none()
    }
}

/// Divides checks into parts that take equally long: each goes to the part that has the least to do so far, the longest first
/// (Graham 1969, LPT: at most 4/3 of the best). Equal ones keep their order, so every machine divides alike.
pub(crate) fn divide(costs: &[(&'static str, f64)], parts: usize) -> Vec<Vec<&'static str>> {
    let mut longest_first: Vec<_> = costs.to_vec();
    longest_first.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let mut divided = vec![(0.0_f64, Vec::new()); parts];
    for (id, cost) in longest_first {
        let least = divided
            .iter_mut()
            .min_by(|(one, _), (other, _)| one.total_cmp(other));
        if let Some((sum, ids)) = least {
            *sum += cost;
            ids.push(id);
        }
    }
    divided.into_iter().map(|(_, ids)| ids).collect()
}

/// How long checks may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub(crate) struct Effort {
    /// Whether promises of long times and many connections are checked too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub slow: bool,
    /// How long traffic is sent to see whether the server becomes slower or larger; seconds in the JSON.
    #[serde(
        rename = "soak_s",
        serialize_with = "seconds",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<f64>")]
    pub soak: Option<Duration>,
}

/// Serializes an optional duration as seconds.
#[expect(clippy::ref_option, reason = "serde passes the field by reference")]
fn seconds<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration
        .map(|duration| duration.as_secs_f64())
        .serialize(serializer)
}

/// The plan of a battery.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct CheckPlan {
    /// Which checks run.
    pub selection: Selection,
    /// The waivers of the file.
    pub waivers: Vec<PlannedWaiver>,
    /// Number of concurrent lanes.
    pub lanes: usize,
    /// No check starts after this many seconds.
    pub max_time_s: Option<f64>,
    #[serde(flatten)]
    pub effort: Effort,
}

impl CheckPlan {
    /// The plan of the whole battery of which this is a shard. All shards have the same hash of
    /// this plan, so their results can be merged.
    #[must_use]
    pub(crate) fn whole(mut self) -> Self {
        self.selection.shard = None;
        self
    }
}

/// A waiver, as far as it decides what prevents a pass.
#[derive(Clone, Debug, JsonSchema, Serialize, Deserialize)]
pub(crate) struct PlannedWaiver {
    /// A glob of check ids.
    check: String,
    /// Why it is waived.
    reason: String,
    /// The last day on which it is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// Whether the check may also pass.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    flaky: bool,
}

impl PlannedWaiver {
    /// The waivers that are about checks.
    pub(crate) fn of_checks(waivers: &[Waiver]) -> Vec<Self> {
        let of_checks = waivers.iter().filter(|waiver| waiver.finding.is_none());
        let planned = of_checks.map(|waiver| Self {
            check: waiver.check.clone(),
            reason: waiver.reason.clone(),
            until: waiver.until.map(|day| day.to_string()),
            flaky: waiver.flaky,
        });
        planned.collect()
    }

    /// The waiver.
    pub(crate) fn waiver(self) -> Waiver {
        Waiver {
            check: self.check,
            reason: self.reason,
            until: self.until.and_then(|day| day.parse().ok()),
            flaky: self.flaky,
            finding: None,
            line: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::divide;

    const IDS: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

    proptest! {
        /// The parts are exactly the whole, and none is longer than LPT allows.
        #[test]
        fn parts_are_the_whole(costs in prop::collection::vec(0.0..60.0_f64, 0..12), parts in 1_usize..6) {
            let costs: Vec<_> = IDS.into_iter().zip(costs).collect();
            let divided = divide(&costs, parts);
            prop_assert_eq!(divided.len(), parts);
            let mut all: Vec<_> = divided.concat();
            all.sort_unstable();
            let whole: Vec<_> = costs.iter().map(|(id, _)| *id).collect();
            prop_assert_eq!(all, whole);
            let cost = |ids: &Vec<&str>| -> f64 {
                costs.iter().filter(|(id, _)| ids.contains(id)).map(|(_, cost)| cost).sum()
            };
            let longest = divided.iter().map(cost).fold(0.0, f64::max);
            let sum: f64 = costs.iter().map(|(_, cost)| cost).sum();
            let most = costs.iter().map(|(_, cost)| *cost).fold(0.0, f64::max);
            prop_assert!(longest <= sum / parts as f64 + most + 1e-9);
        }
    }

    #[test]
    fn the_longest_is_alone() {
        let costs = [("a", 1.0), ("b", 9.0), ("c", 2.0), ("d", 3.0)];
        assert_eq!(divide(&costs, 2), [vec!["b"], vec!["d", "c", "a"]]);
    }
}
