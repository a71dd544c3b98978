//! The plan of a battery, a part of the run's plan.

use serde::Serialize;

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
