//! What a battery is to do; plain data, part of the plan of a run.

use serde::Serialize;

use crate::subject::Waiver;

/// Lanes of a battery: most checks wait for the server rather than for a core.
pub const LANES: usize = 3;

/// One part of a battery that is divided among several machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Shard {
    /// From 1.
    pub index: usize,
    /// How many shards there are.
    pub count: usize,
}

/// Which checks are run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Selection {
    /// Only ids that match one of these globs; empty: all.
    pub only: Vec<String>,
    /// No ids that match one of these globs.
    pub skip: Vec<String>,
    /// Ids that must come to a verdict.
    pub require: Vec<String>,
    /// The part of the battery that this run takes.
    pub shard: Option<Shard>,
}

impl Selection {
    /// Whether the check with this id is selected; `position` is its place in the battery.
    pub fn takes(&self, id: &str, position: usize) -> bool {
        let any = |globs: &[String]| globs.iter().any(|glob| glob_match::glob_match(glob, id));
        (self.only.is_empty() || any(&self.only))
            && !any(&self.skip)
            && self
                .shard
                .is_none_or(|shard| position % shard.count == shard.index - 1)
    }

    /// Whether every check is selected: only then can a waiver be called stale.
    pub fn is_whole(&self) -> bool {
        self.only.is_empty() && self.skip.is_empty() && self.shard.is_none()
    }
}

/// The plan of a battery.
#[derive(Clone, Debug, Serialize)]
pub struct CheckPlan {
    /// Which checks.
    pub selection: Selection,
    /// Waivers: the globs and their reasons.
    pub waivers: Vec<(String, String)>,
    /// Lanes that run at the same time.
    pub lanes: usize,
    /// No check begins after this many seconds.
    pub max_time_s: Option<f64>,
}

impl CheckPlan {
    /// The plan of the whole battery of which this is a shard. Shards of one plan have the same hash,
    /// so that their results can be merged.
    #[must_use]
    pub fn whole(mut self) -> Self {
        self.selection.shard = None;
        self
    }

    /// The waivers as they are shown.
    pub fn waivers_of(waivers: &[Waiver]) -> Vec<(String, String)> {
        waivers
            .iter()
            .map(|waiver| (waiver.check.clone(), waiver.reason.clone()))
            .collect()
    }
}
