//! Repeatable random choices: the same seed yields the same choices.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// A source of random choices.
#[derive(Clone, Debug)]
pub(in crate::fuzz) struct Random(Xoshiro256PlusPlus);

impl Random {
    /// A source for one lane of a campaign with this seed.
    pub(crate) fn new(seed: u64, lane: u32) -> Self {
        // Any odd factor gives the lanes different seeds.
        let lane = u64::from(lane).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self(Xoshiro256PlusPlus::seed_from_u64(seed ^ lane))
    }

    /// A number below `end`; 0 if `end` is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.0.next_u64()) * end as u128) >> 64) as usize
    }

    /// A number from `low` to `high`, inclusive.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True with a probability of 1 in `times`.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// A random byte.
    pub(crate) fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    /// A number from 1 to `high`, with each power of two equally likely, so that small numbers are as frequent as large
    /// ones.
    pub(crate) fn size(&mut self, high: usize) -> usize {
        let bits = high.max(1).ilog2() as usize;
        let bit = self.below(bits + 1);
        self.between(1 << bit, (2 << bit) - 1).min(high.max(1))
    }

    /// A random element; `None` if there is none.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }

    /// Shuffles the elements.
    pub(crate) fn shuffle<T>(&mut self, all: &mut [T]) {
        for end in (1..all.len()).rev() {
            all.swap(end, self.below(end + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_their_bounds() {
        let mut random = Random::new(1, 0);
        for _ in 0..10_000 {
            assert!(random.below(3) < 3);
            assert!((5..=9).contains(&random.between(5, 9)));
            assert!((1..=1000).contains(&random.size(1000)));
        }
        assert_eq!(random.below(0), 0);
        assert_eq!(random.pick::<u8>(&[]), None);
    }
}
