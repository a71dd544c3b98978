//! How long a battery will still take, from how long its checks took in the last run of this folder. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::check::{Check, LANES, Runs, all as checks};

/// Share of the expected time after which the pace of this run counts: before, a few checks say little.
const PACE_FROM: f64 = 0.1;
/// Bounds of the pace, so that one slow check does not stretch all that follow.
const PACE: std::ops::RangeInclusive<f64> = 0.5..=3.0;

/// The expected costs of the checks, in seconds of wall time.
#[derive(Debug)]
pub(super) struct Remaining {
    costs: BTreeMap<&'static str, f64>,
}

impl Remaining {
    /// From how long each check took, in milliseconds, in an earlier run; `None` if that tells nothing.
    pub(super) fn of(earlier: &[(String, f64)], selected: impl Fn(&str) -> bool) -> Option<Self> {
        let cost = |check: &Check| {
            let took = earlier.iter().find(|(id, _)| id == check.id)?.1 / 1e3;
            // Others run beside each other.
            let took = match check.runs {
                Runs::AloneOnMachine => took,
                _ => took / LANES as f64,
            };
            Some((check.id, took))
        };
        let costs: BTreeMap<_, _> = checks()
            .filter(|check| selected(check.id))
            .filter_map(cost)
            .collect();
        (costs.values().sum::<f64>() > 0.0).then_some(Self { costs })
    }

    /// The time that the others will take, when these are done after `elapsed`.
    pub(super) fn left(&self, done: &BTreeSet<&'static str>, elapsed: Duration) -> Duration {
        let all: f64 = self.costs.values().sum();
        let over: f64 = done.iter().filter_map(|id| self.costs.get(id)).sum();
        let pace = if over > PACE_FROM * all {
            (elapsed.as_secs_f64() / over).clamp(*PACE.start(), *PACE.end())
        } else {
            1.0
        };
        Duration::from_secs_f64(((all - over) * pace).max(0.0))
    }
}

/// In words, as exact as an estimate is.
pub(super) fn phrase(left: Duration) -> String {
    match left.as_secs() {
        0..5 => "a few seconds left".to_owned(),
        seconds @ 5..90 => format!("about {} s left", seconds.div_ceil(5) * 5),
        seconds => format!("about {} min left", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_the_costs_and_the_pace() {
        let mut ids = checks().filter(|check| check.runs == Runs::AloneOnMachine);
        let (slow, quick) = (ids.next().unwrap().id, ids.next().unwrap().id);
        let earlier = [(slow.to_owned(), 30_000.0), (quick.to_owned(), 10_000.0)];
        let remaining = Remaining::of(&earlier, |_| true).unwrap();
        let left = |done: &[&'static str], elapsed| {
            let done = done.iter().copied().collect();
            remaining
                .left(&done, Duration::from_secs(elapsed))
                .as_secs()
        };
        assert_eq!(left(&[], 3), 40);
        assert_eq!(left(&[quick], 10), 30);
        assert_eq!(left(&[quick], 20), 60, "this run is half as fast");
        assert_eq!(left(&[quick], 500), 90, "within bounds");
        assert_eq!(left(&[slow, quick], 60), 0);
        assert!(Remaining::of(&[], |_| true).is_none());
        assert!(Remaining::of(&earlier, |_| false).is_none());
    }

    #[test]
    fn an_estimate_is_not_more_exact_than_it_is() {
        let phrase = |seconds| phrase(Duration::from_secs(seconds));
        assert_eq!(phrase(3), "a few seconds left");
        assert_eq!(phrase(41), "about 45 s left");
        assert_eq!(phrase(200), "about 4 min left");
    }
}
