//! Whether the best of many is best by chance.
//!
//! Each value is compared with the baseline at 95 %. Of six values that are all equal to it one is then
//! better "surely" in one sweep of eight, so the largest gain has to pass a test of its own: the
//! figures of each round are dealt out anew to its values, again and again, and how often chance makes a
//! largest gain as large as the one that was seen is counted: a permutation test in blocks, on ranks within
//! each round (Friedman 1937), so that one wild round does not decide.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// How often figures are dealt out anew.
const DEALS: usize = 999;
/// The same figures give the same answer.
const SEED: u64 = 0x7463_7072_6f76_6521;

/// The scores of one round: of the baseline first, then of the other values; `None` where it was not
/// valid. More is better, and differences count.
pub(super) type Scores = Vec<Option<f64>>;

/// The probability that values which do not differ show a gain over the baseline as large as the largest
/// one here.
pub(super) fn p_of_largest_gain(rounds: &[Scores]) -> f64 {
    let mut dealt: Vec<Scores> = rounds.iter().map(ranks).collect();
    // Sums of the same figures in another order may come out a little smaller.
    let seen = largest_gain(&dealt) - 1e-9;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let as_large = (0..DEALS)
        .filter(|_| {
            dealt.iter_mut().for_each(|round| deal(round, &mut random));
            largest_gain(&dealt) >= seen
        })
        .count();
    // What was seen is one of the deals.
    (as_large + 1) as f64 / (DEALS + 1) as f64
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

/// The rank of each figure of a round; equal ones share theirs.
fn ranks(round: &Scores) -> Scores {
    let rank = |score: f64| {
        let others = round.iter().flatten();
        let below = others.clone().filter(|other| **other < score).count();
        let equal = others.filter(|other| **other == score).count();
        below as f64 + equal as f64 / 2.0
    };
    round.iter().map(|score| score.map(rank)).collect()
}

/// Deals the figures of a round to those of its values that have one.
fn deal(round: &mut Scores, random: &mut Xoshiro256PlusPlus) {
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
        // Two values can be dealt out in 64 ways over six rounds.
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
