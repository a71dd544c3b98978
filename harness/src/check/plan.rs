//! The plan of a battery, a part of the run's plan.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::subject::Waiver;

/// Number of lanes. Most checks wait for the server rather than for a CPU.
pub(crate) const LANES: usize = 3;

/// One part of a battery that is divided among several machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Shard {
    /// Number of this shard, starting at 1.
    pub index: usize,
    /// Number of shards.
    pub count: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Selection {
    /// Only checks whose id matches one of these globs; empty selects all.
    pub only: Vec<String>,
    /// No check whose id matches one of these globs.
    pub skip: Vec<String>,
    /// Checks that must reach a verdict.
    pub require: Vec<String>,
    /// The part of the battery that this run covers.
    pub shard: Option<Shard>,
}

impl Selection {
    /// Whether the check with this id is selected. `position` is its index in the battery.
    pub(crate) fn takes(&self, id: &str, position: usize) -> bool {
        let any = |globs: &[String]| globs.iter().any(|glob| glob_match::glob_match(glob, id));
        (self.only.is_empty() || any(&self.only))
            && !any(&self.skip)
            && self
                .shard
                .is_none_or(|shard| position % shard.count == shard.index - 1)
    }

    /// Whether every check is selected. Only then can a waiver be stale.
    pub(crate) fn is_whole(&self) -> bool {
        self.only.is_empty() && self.skip.is_empty() && self.shard.is_none()
    }
}

/// How long checks may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CheckPlan {
    pub selection: Selection,
    /// Globs and reasons of the waivers.
    pub waivers: Vec<(String, String)>,
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

    /// Globs and reasons of these waivers.
    pub(crate) fn waivers_of(waivers: &[Waiver]) -> Vec<(String, String)> {
        waivers
            .iter()
            .map(|waiver| (waiver.check.clone(), waiver.reason.clone()))
            .collect()
    }
}
