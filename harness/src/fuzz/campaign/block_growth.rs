//! The number of blocks that a campaign has reached, over time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::fuzz::finding::BlocksAt;

/// Maximum points; beyond it, every second one is left out.
const POINTS_MAX: usize = 1_000;

/// The points at which the number has changed.
#[derive(Debug, Default)]
pub(super) struct BlockGrowth {
    points: Mutex<Vec<BlocksAt>>,
}

impl BlockGrowth {
    /// Notes the number after this time, if it has changed.
    pub(super) fn note(&self, elapsed: Duration, blocks: usize) {
        let mut points = self.points.lock().unwrap_or_else(PoisonError::into_inner);
        if points.last().is_none_or(|last| last.blocks != blocks) {
            let seconds = elapsed.as_secs_f64();
            points.push(BlocksAt { seconds, blocks });
        }
        if points.len() > POINTS_MAX {
            // The first and the last stay.
            let mut keeps = false;
            points.retain(|_| {
                keeps = !keeps;
                keeps
            });
        }
    }

    /// All points so far.
    pub(super) fn all(self) -> Vec<BlocksAt> {
        self.points
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_are_kept_and_not_too_many() {
        let growth = BlockGrowth::default();
        for at in 0..5_000 {
            growth.note(Duration::from_millis(at), (at / 2) as usize);
        }
        let all = growth.all();
        assert!((500..=POINTS_MAX).contains(&all.len()), "{}", all.len());
        assert_eq!((all[0].blocks, all[all.len() - 1].blocks), (0, 2_499));
        assert!(all.windows(2).all(|two| two[0].blocks < two[1].blocks));
    }
}
