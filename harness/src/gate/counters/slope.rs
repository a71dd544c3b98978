//! What a request adds, from lives with few and with many requests. Pure.

use serde::{Deserialize, Serialize};

/// What one operation takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PerOp {
    /// The mean over all pairs of a life with few requests and one with many.
    pub estimate: f64,
    /// The lowest of those pairs; lower where the server works on its own as time passes.
    pub low: f64,
    /// The highest of those pairs; higher where the server works on its own.
    pub high: f64,
}

impl PerOp {
    /// With what other lives gave: the mean, and the range over both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            estimate: f64::midpoint(self.estimate, other.estimate),
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }

    /// With a range that is wider by so much at both ends.
    pub(super) fn widened(self, by: f64) -> Self {
        Self {
            low: self.low - by,
            high: self.high + by,
            ..self
        }
    }
}

/// The slopes between lives with few and lives with many requests, given as (requests, total). Few is at most
/// half of the most. `None` without such a pair.
pub(super) fn per_op(lives: &[(u64, u64)]) -> Option<PerOp> {
    let most = lives.iter().map(|life| life.0).max()?;
    let (few, many): (Vec<_>, Vec<_>) = lives.iter().partition(|life| life.0 <= most / 2);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_in_every_life_cancels() {
        let lives = [1, 9, 1, 8].map(|thousands| (thousands * 1_000, 777 + thousands * 5_000));
        let five = PerOp {
            estimate: 5.0,
            low: 5.0,
            high: 5.0,
        };
        assert_eq!(per_op(&lives), Some(five));
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
