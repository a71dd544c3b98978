//! The cost of a request, from runs with few and with many requests. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One run of a server under a tool of valgrind.
#[derive(Debug, Clone, PartialEq)]
pub struct CountedRun {
    /// Exchanges.
    pub requests: u64,
    /// Duration of the exchanges in seconds.
    pub seconds: f64,
    /// CPU time of the server during the exchanges, in seconds, under valgrind.
    pub cpu_s: f64,
    /// Instructions and system calls, or allocated blocks and bytes: totals of all processes, including the start.
    pub totals: [u64; 2],
}

/// The cost of one operation.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct PerOp {
    /// The mean over all pairs of a short and a long run.
    pub estimate: f64,
    /// The lowest of those pairs, widened if the server works by itself as time passes.
    pub low: f64,
    /// The highest of those pairs, widened likewise.
    pub high: f64,
}

impl PerOp {
    /// Combines two counts: the mean, and the range over both.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            estimate: f64::midpoint(self.estimate, other.estimate),
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }

    /// Widens the range at both ends.
    pub(super) fn widened(self, by: f64) -> Self {
        Self {
            low: self.low - by,
            high: self.high + by,
            ..self
        }
    }
}

/// The slopes between short and long runs, given as (requests, total). A short run has at most half the requests of
/// the longest. `None` without such a pair.
pub(super) fn per_op(runs: &[(u64, u64)]) -> Option<PerOp> {
    let most = runs.iter().map(|run| run.0).max()?;
    let (few, many): (Vec<_>, Vec<_>) = runs.iter().partition(|run| run.0 <= most / 2);
    let slopes: Vec<f64> = few
        .iter()
        .flat_map(|few| many.iter().map(|many| slope(*few, *many)))
        .collect();
    let sum: f64 = slopes.iter().sum();
    Some(PerOp {
        estimate: sum / slopes.len() as f64,
        low: slopes.iter().copied().reduce(f64::min)?,
        high: slopes.iter().copied().reduce(f64::max)?,
    })
}

fn slope(few: (u64, u64), many: (u64, u64)) -> f64 {
    (many.1 as f64 - few.1 as f64) / (many.0 - few.0) as f64
}

/// What one CPU second of work adds to a total, divided by the difference in requests of the runs.
pub(super) fn own_work(runs: &[CountedRun], which: usize) -> f64 {
    let by_requests = |run: &&CountedRun| run.requests;
    let (few, many) = (
        runs.iter().min_by_key(by_requests),
        runs.iter().max_by_key(by_requests),
    );
    few.zip(many).map_or(0.0, |(few, many)| {
        let more = many.totals[which].saturating_sub(few.totals[which]) as f64;
        let requests = many.requests.saturating_sub(few.requests) as f64;
        more / (many.cpu_s - few.cpu_s).max(f64::EPSILON) / requests.max(1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_in_every_life_cancels() {
        let runs = [1, 9, 1, 8].map(|thousands| (thousands * 1_000, 777 + thousands * 5_000));
        let five = PerOp {
            estimate: 5.0,
            low: 5.0,
            high: 5.0,
        };
        assert_eq!(per_op(&runs), Some(five));
    }

    #[test]
    fn what_differs_widens_the_range() {
        let found = per_op(&[(0, 100), (1_000, 5_000), (0, 0), (1_000, 5_200)]).unwrap();
        assert_eq!((found.low, found.high), (4.9, 5.2));
        assert!((found.estimate - 5.05).abs() < 1e-9);
    }

    #[test]
    fn other_lives_widen_the_range() {
        let first = per_op(&[(0, 0), (100, 500)]).unwrap();
        let again = per_op(&[(0, 0), (100, 700)]).unwrap();
        let both = PerOp {
            estimate: 6.0,
            low: 5.0,
            high: 7.0,
        };
        assert_eq!((first.and(again), again.and(first)), (both, both));
    }

    #[test]
    fn more_requests_may_take_less() {
        let found = per_op(&[(10, 100), (30, 60)]).unwrap();
        assert_eq!(found.estimate, -2.0);
    }

    #[test]
    fn without_a_pair_there_is_nothing_to_tell() {
        assert_eq!(per_op(&[]), None);
        assert_eq!(per_op(&[(10, 5)]), None);
        assert_eq!(per_op(&[(10, 5), (9, 5)]), None);
        assert_eq!(per_op(&[(0, 0), (0, 0)]), None);
    }
}
