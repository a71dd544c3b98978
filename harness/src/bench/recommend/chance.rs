//! Whether the best of many values is best by chance.
//!
//! Each value is compared with the baseline at 95 %. If six values all equal the baseline, one of them is significantly
//! better in one sweep out of eight, so the largest gain must pass a test of its own: a block permutation test on the
//! ranks within each round (Friedman 1937). It permutes the figures of each round many times and counts how often the
//! largest gain is at least as large as the observed one. Ranks keep a single outlier round from deciding.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// Number of permutations.
const PERMUTATIONS: usize = 999;
/// A fixed seed: the same figures give the same answer.
const SEED: u64 = 0x7463_7072_6f76_6521;

/// The scores of one round, the baseline first; `None` if the visit was invalid. Higher is better, and differences are
/// meaningful.
pub(super) type Scores = Vec<Option<f64>>;

/// The p-value of the largest gain over the baseline: the probability of one at least as large if the values do not
/// differ.
pub(super) fn p_of_largest_gain(rounds: &[Scores]) -> f64 {
    let mut permuted: Vec<Scores> = rounds.iter().map(ranks).collect();
    // Sums of the same figures in another order may be slightly smaller.
    let seen = largest_gain(&permuted) - 1e-9;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let as_large = (0..PERMUTATIONS)
        .filter(|_| {
            permuted
                .iter_mut()
                .for_each(|round| permute(round, &mut random));
            largest_gain(&permuted) >= seen
        })
        .count();
    // The observed order is one of the permutations.
    (as_large + 1) as f64 / (PERMUTATIONS + 1) as f64
}

fn largest_gain(rounds: &[Scores]) -> f64 {
    let values = rounds.first().map_or(0, Vec::len);
    (1..values)
        .filter_map(|value| {
            let gains = rounds
                .iter()
                .filter_map(|round| Some(round[value]? - round[0]?));
            let gains: Vec<f64> = gains.collect();
            (!gains.is_empty()).then(|| gains.iter().sum::<f64>() / gains.len() as f64)
        })
        .fold(f64::NEG_INFINITY, f64::max)
}

/// The rank of each figure within its round; ties share their mean rank.
fn ranks(round: &Scores) -> Scores {
    let rank = |score: f64| {
        let others = round.iter().flatten();
        let below = others.clone().filter(|other| **other < score).count();
        let equal = others.filter(|other| **other == score).count();
        below as f64 + equal as f64 / 2.0
    };
    round.iter().map(|score| score.map(rank)).collect()
}

/// Permutes the figures of a round among the values that have one.
fn permute(round: &mut Scores, random: &mut Xoshiro256PlusPlus) {
    let places: Vec<usize> = (0..round.len())
        .filter(|place| round[*place].is_some())
        .collect();
    for last in (1..places.len()).rev() {
        let chosen = (random.next_u64() % (last as u64 + 1)) as usize;
        round.swap(places[last], places[chosen]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_in_every_round_is_not_chance() {
        let rounds = vec![vec![Some(0.0), Some(0.1), Some(0.2)]; 6];
        assert!(p_of_largest_gain(&rounds) < 0.005);
        // Two values over six rounds have 64 permutations.
        let two = vec![vec![Some(0.0), Some(0.1)]; 6];
        assert!((p_of_largest_gain(&two) - 1.0 / 64.0).abs() < 0.01);
        let worse = vec![vec![Some(0.1), Some(0.0)]; 6];
        assert_eq!(p_of_largest_gain(&worse), 1.0);
        assert_eq!(p_of_largest_gain(&[]), 1.0);
    }

    #[test]
    fn a_round_without_figures_says_nothing() {
        let mut rounds = vec![vec![Some(0.0), Some(0.1), Some(0.2)]; 8];
        rounds[..2].fill(vec![None, Some(9.0), None]);
        assert!(p_of_largest_gain(&rounds) < 0.01);
    }
}
