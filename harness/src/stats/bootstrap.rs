//! Confidence intervals of percentiles, from the variation between windows of time.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// Values with their numbers of occurrences, ascending.
pub type ValueCounts = Vec<(u64, u64)>;

/// Number of bootstrap samples.
const DRAWS: usize = 300;

/// The confidence interval of the `q`-quantile of all windows together. Whole windows are drawn with replacement, so
/// that values from the same time stay together (block bootstrap, Künsch 1989). `None` with fewer than two non-empty
/// windows.
pub fn quantile_interval(
    windows: &[ValueCounts],
    q: f64,
    level: f64,
    seed: u64,
) -> Option<(u64, u64)> {
    let filled: Vec<&ValueCounts> = windows.iter().filter(|window| !window.is_empty()).collect();
    if filled.len() < 2 {
        return None;
    }
    let all = merged(&filled);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut drawn: Vec<u64> = (0..DRAWS)
        .map(|_| {
            let mut weights = vec![0_u64; filled.len()];
            for _ in 0..filled.len() {
                weights[(random.next_u64() % filled.len() as u64) as usize] += 1;
            }
            weighted_quantile(&all, &weights, q)
        })
        .collect();
    drawn.sort_unstable();
    let tail = ((1.0 - level) / 2.0 * DRAWS as f64) as usize;
    Some((drawn[tail], drawn[DRAWS - 1 - tail]))
}

/// (value, count, window) of all windows, sorted by value.
fn merged(windows: &[&ValueCounts]) -> Vec<(u64, u64, usize)> {
    let mut all: Vec<(u64, u64, usize)> = Vec::new();
    for (place, window) in windows.iter().enumerate() {
        all.extend(window.iter().map(|(value, count)| (*value, *count, place)));
    }
    all.sort_unstable();
    all
}

fn weighted_quantile(all: &[(u64, u64, usize)], weights: &[u64], q: f64) -> u64 {
    let total: u64 = all
        .iter()
        .map(|(_, count, window)| count * weights[*window])
        .sum();
    let wanted = (q * total as f64).ceil().max(1.0) as u64;
    let mut seen = 0;
    for (value, count, window) in all {
        seen += count * weights[*window];
        if seen >= wanted {
            return *value;
        }
    }
    all.last().map_or(0, |last| last.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_windows_are_sure_and_unlike_ones_are_not() {
        let like = vec![vec![(10, 90), (50, 10)]; 20];
        assert_eq!(quantile_interval(&like, 0.5, 0.95, 1), Some((10, 10)));
        let mut unlike = vec![vec![(10, 100)]; 10];
        unlike.extend(vec![vec![(30, 100)]; 10]);
        assert_eq!(quantile_interval(&unlike, 0.5, 0.95, 1), Some((10, 30)));
        assert_eq!(quantile_interval(&like[..1], 0.5, 0.95, 1), None);
    }

    #[test]
    fn the_interval_covers_as_often_as_it_says() {
        // 300 experiments: 20 windows whose median is the window's own level, uniform in 0..1000.
        let mut random = Xoshiro256PlusPlus::seed_from_u64(5);
        let mut covered = 0;
        for experiment in 0..300 {
            let windows: Vec<ValueCounts> = (0..20)
                .map(|_| vec![(random.next_u64() % 1001, 10)])
                .collect();
            let (low, high) = quantile_interval(&windows, 0.5, 0.95, experiment).unwrap();
            covered += usize::from((low..=high).contains(&500));
        }
        // 95 % of 300 is 285; the coverage of small samples is slightly lower.
        assert!((265..=299).contains(&covered), "{covered}");
    }
}
