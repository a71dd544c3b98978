//! Estimates and tests based on ranks, which a single outlier does not move.

/// An estimate with its confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, schemars::JsonSchema, serde::Serialize)]
pub struct Interval {
    /// The estimate.
    pub estimate: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The Hodges-Lehmann estimate of the centre, the median of all pairwise means, with the confidence interval of the
/// Wilcoxon signed-rank test (Hollander and Wolfe, Nonparametric Statistical Methods, 3.2 and 3.3). `None` without
/// values.
///
/// `level` is the confidence level, such as 0.95. Small samples do not reach a high level (five values reach at most
/// 0.9375); the result is then the widest possible interval.
pub fn hodges_lehmann(values: &[f64], level: f64) -> Option<Interval> {
    let means = pairwise_means(values);
    between(
        &means,
        critical(values.len(), (1.0 - level) / 2.0).unwrap_or(0),
    )
}

/// The Hodges-Lehmann estimate with one-sided bounds: `low` is the lower bound at `level`, and `high` the upper bound at
/// `level`. Together they are the two-sided interval of level `2 * level - 1`.
///
/// Unlike [`hodges_lehmann`] it never returns a lower level than requested: the result is `None` if no bound of `n`
/// values reaches `level`, that is if 2^-n > 1 - level (95 % takes five values, 99 % seven), if a value is not finite, or
/// if the level is not between 0.5 and 1.
pub fn one_sided(values: &[f64], level: f64) -> Option<Interval> {
    let sane = (0.5..1.0).contains(&level) && values.iter().all(|value| value.is_finite());
    let cut = sane
        .then(|| critical(values.len(), 1.0 - level))
        .flatten()?;
    between(&pairwise_means(values), cut)
}

/// The means of all pairs including each value with itself (Walsh averages), ascending.
fn pairwise_means(values: &[f64]) -> Vec<f64> {
    let mut means: Vec<f64> = Vec::with_capacity(values.len() * (values.len() + 1) / 2);
    for (place, value) in values.iter().enumerate() {
        means.extend(
            values[place..]
                .iter()
                .map(|other| f64::midpoint(*value, *other)),
        );
    }
    means.sort_by(f64::total_cmp);
    means
}

/// The median of sorted means, and the range without the `cut` outermost means on each side.
fn between(means: &[f64], cut: usize) -> Option<Interval> {
    Some(Interval {
        estimate: super::median(means)?,
        low: means[cut],
        high: means[means.len() - 1 - cut],
    })
}

/// Number of values up to which the distribution of their ranks is computed exactly, in a time that grows as its third power.
const EXACT_MAX: usize = 400;

/// The number of sorted pairwise means outside the interval on each side: the critical value of the signed-rank statistic
/// W of `n` values, which is the largest k with P(W <= k) <= tail. `None` if there is no such k, which differs from 0.
fn critical(n: usize, tail: f64) -> Option<usize> {
    let total = n * (n + 1) / 2;
    if n > EXACT_MAX {
        return Some(approximately_critical(n, tail).min(total.saturating_sub(1) / 2));
    }
    // The probability of each sum: each rank is in it or not. Halving at each step avoids the overflow of 2^n.
    let mut chance = vec![0.0_f64; total + 1];
    chance[0] = 1.0;
    for rank in 1..=n {
        for sum in (0..=rank * (rank + 1) / 2).rev() {
            let with = sum.checked_sub(rank).map_or(0.0, |rest| chance[rest]);
            chance[sum] = f64::midpoint(chance[sum], with);
        }
    }
    let mut below = 0.0;
    for (sum, here) in chance.iter().enumerate() {
        below += here;
        if below > tail {
            return Some(sum.checked_sub(1)?.min(total.saturating_sub(1) / 2));
        }
    }
    Some(total.saturating_sub(1) / 2)
}

/// The same in the normal approximation, with a correction for continuity (Hollander and Wolfe, 3.1).
fn approximately_critical(n: usize, tail: f64) -> usize {
    let n = n as f64;
    let (mean, deviation) = (
        n * (n + 1.0) / 4.0,
        (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0).sqrt(),
    );
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if normal_cdf(middle) < tail {
            low = middle;
        } else {
            high = middle;
        }
    }
    (mean + low * deviation - 0.5).floor().max(0.0) as usize
}

/// P(Z <= z) for a standard normal Z (error below 7.5e-8).
pub fn normal_cdf(z: f64) -> f64 {
    if z < 0.0 {
        normal_tail(-z)
    } else {
        1.0 - normal_tail(z)
    }
}

/// The two-sided p-value of the rank-sum test (Mann and Whitney 1947) of equal location of `a` and `b`, in the normal
/// approximation with ties; 1 if either is empty.
pub fn rank_sum_p(a: &[f64], b: &[f64]) -> f64 {
    let (n, m) = (a.len() as f64, b.len() as f64);
    if a.is_empty() || b.is_empty() {
        return 1.0;
    }
    let mut all: Vec<(f64, bool)> = a.iter().map(|value| (*value, true)).collect();
    all.extend(b.iter().map(|value| (*value, false)));
    all.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut ranks_of_a, mut ties) = (0.0, 0.0);
    for group in all.chunk_by(|one, other| one.0 == other.0) {
        let size = group.len() as f64;
        let first = (group.as_ptr() as usize - all.as_ptr() as usize) / size_of::<(f64, bool)>();
        let rank = first as f64 + f64::midpoint(1.0, size);
        ranks_of_a += rank * group.iter().filter(|value| value.1).count() as f64;
        ties += size.powi(3) - size;
    }
    let total = n + m;
    let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)).max(1.0));
    if variance <= 0.0 {
        return 1.0;
    }
    let u = ranks_of_a - n * (n + 1.0) / 2.0;
    // Continuity correction of one half.
    let z = ((u - n * m / 2.0).abs() - 0.5).max(0.0) / variance.sqrt();
    2.0 * normal_tail(z)
}

/// P(Z > z) for a standard normal Z and z >= 0 (Abramowitz and Stegun 26.2.17, error below 7.5e-8).
fn normal_tail(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let factors = [
        0.319_381_530,
        -0.356_563_782,
        1.781_477_937,
        -1.821_255_978,
        1.330_274_429,
    ];
    let polynomial = factors
        .iter()
        .rev()
        .fold(0.0, |sum, factor| (sum + factor) * t);
    polynomial * (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_tables_of_the_signed_rank_statistic() {
        // Wilcoxon's critical values, one-sided 0.025.
        for (n, value) in [(6, 0), (7, 2), (8, 3), (10, 8), (15, 25), (20, 52)] {
            assert_eq!(critical(n, 0.025), Some(value), "n = {n}");
        }
        // Five values do not reach 97.5 % on one side.
        assert_eq!(critical(5, 0.025), None);
    }

    #[test]
    fn the_approximation_for_many_values_is_as_good_as_exact() {
        for (tail, n) in [(0.05, 300), (0.01, 300), (0.05, 400), (0.01, 400)] {
            let (exact, near) = (critical(n, tail).unwrap(), approximately_critical(n, tail));
            // Out of thousands between the bound and the estimate.
            assert!(exact.abs_diff(near) <= 10, "{n}: {exact} {near}");
        }
        let many: Vec<f64> = (0..1000).map(f64::from).collect();
        let bounds = one_sided(&many, 0.95).unwrap();
        assert!(bounds.low > 480.0 && bounds.low < 499.5 && bounds.high < 520.0);
    }

    #[test]
    fn a_bound_is_given_only_where_it_can_be_had() {
        let values = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];
        // 2^-4 > 0.05 > 2^-5; 2^-6 > 0.01 > 2^-7.
        assert_eq!(one_sided(&values[..4], 0.95), None);
        let five = one_sided(&values[..5], 0.95).unwrap();
        assert_eq!((five.low, five.high), (1.0, 16.0));
        assert_eq!(one_sided(&values[..6], 0.99), None);
        assert_eq!(one_sided(&values, 0.99).unwrap().low, 1.0);
        assert_eq!(one_sided(&[], 0.95), None);
        assert_eq!(one_sided(&[f64::NAN; 9], 0.95), None);
        assert_eq!(one_sided(&values, 1.0), None);
        assert_eq!(one_sided(&values, 0.4), None);
        // With enough values the bounds are the ends of the two-sided interval.
        let both = hodges_lehmann(&values, 0.9).unwrap();
        assert_eq!(one_sided(&values, 0.95), Some(both));
    }

    #[test]
    fn an_estimate_of_known_numbers() {
        // Pairwise means of 1, 2, 10: 1, 1.5, 2, 5.5, 6, 10.
        let got = hodges_lehmann(&[10.0, 1.0, 2.0], 0.95).unwrap();
        assert_eq!((got.low, got.estimate, got.high), (1.0, 3.75, 10.0));
        assert!(hodges_lehmann(&[], 0.95).is_none());
        assert_eq!(hodges_lehmann(&[7.0], 0.95).unwrap().estimate, 7.0);
    }

    #[test]
    fn shifted_samples_are_told_apart_and_like_ones_are_not() {
        let a: Vec<f64> = (0..20).map(f64::from).collect();
        let far: Vec<f64> = (0..20).map(|n| f64::from(n) + 15.0).collect();
        // scipy 1.x: mannwhitneyu(range(20), range(15, 35), method="asymptotic"), and one with ties.
        assert!((rank_sum_p(&a, &far) / 4.2024e-7 - 1.0).abs() < 0.01);
        let (few, more) = (
            [1.0, 1.0, 2.0, 3.0, 5.0, 8.0],
            [2.0, 3.0, 3.0, 9.0, 11.0, 12.0, 15.0],
        );
        assert!((rank_sum_p(&few, &more) - 0.083_882_2).abs() < 1e-6);
        assert!(rank_sum_p(&a, &a) > 0.95);
        assert_eq!(rank_sum_p(&[1.0; 5], &[1.0; 5]), 1.0);
    }

    #[test]
    fn an_interval_covers_at_least_as_often_as_it_says() {
        use rand_xoshiro::Xoshiro256PlusPlus;
        use rand_xoshiro::rand_core::{Rng, SeedableRng};
        let mut random = Xoshiro256PlusPlus::seed_from_u64(11);
        // Uniform in -0.5..0.5: symmetric around 0, as the rank test assumes.
        let mut draw = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
        let mut covered = 0;
        for _ in 0..4000 {
            let values: Vec<f64> = (0..6).map(|_| draw()).collect();
            let interval = hodges_lehmann(&values, 0.95).unwrap();
            covered += usize::from(interval.low <= 0.0 && 0.0 <= interval.high);
        }
        // Exactly 1 - 2/64 = 96.9 %, with a standard deviation of 0.27 %.
        assert!((3840..=3910).contains(&covered), "{covered} of 4000");
    }

    proptest! {
        #[test]
        fn critical_values_are_those_of_exact_counts(n in 0_usize..=60, tail in 0.0..0.5_f64, small in 1.0..1e-12_f64.recip()) {
            let tail = tail / small;
            let total = n * (n + 1) / 2;
            let mut ways = vec![0_u64; total + 1];
            ways[0] = 1;
            for rank in 1..=n {
                for sum in (rank..=total).rev() {
                    ways[sum] += ways[sum - rank];
                }
            }
            let chance = |most: usize| {
                let ways: u64 = ways[..=most].iter().sum();
                ways as f64 / 2.0_f64.powi(n as i32)
            };
            match critical(n, tail) {
                None => prop_assert!(chance(0) > tail),
                Some(most) => {
                    prop_assert!(chance(most) <= tail);
                    prop_assert!(chance(most + 1) > tail);
                }
            }
        }

        #[test]
        fn bounds_move_and_grow_with_their_values(
            values in prop::collection::vec(-1e3..1e3_f64, 5..40),
            by in -1e3..1e3_f64,
            factor in 0.1..10.0_f64,
        ) {
            let here = one_sided(&values, 0.95).unwrap();
            let moved: Vec<f64> = values.iter().map(|value| value * factor + by).collect();
            let there = one_sided(&moved, 0.95).unwrap();
            let near = |one: f64, other: f64| (one * factor + by - other).abs() < 1e-8;
            prop_assert!(near(here.estimate, there.estimate));
            prop_assert!(near(here.low, there.low) && near(here.high, there.high));
            // Negated, the lower bound is the upper one.
            let turned: Vec<f64> = values.iter().map(|value| -value).collect();
            let turned = one_sided(&turned, 0.95).unwrap();
            prop_assert_eq!((turned.low, turned.high), (-here.high, -here.low));
        }

        #[test]
        fn an_interval_moves_with_its_values(values in prop::collection::vec(-1e6..1e6_f64, 1..40), by in -1e3..1e3_f64) {
            let here = hodges_lehmann(&values, 0.95).unwrap();
            prop_assert!(here.low <= here.estimate && here.estimate <= here.high);
            let moved: Vec<f64> = values.iter().map(|value| value + by).collect();
            let there = hodges_lehmann(&moved, 0.95).unwrap();
            prop_assert!((there.estimate - here.estimate - by).abs() < 1e-6);
            prop_assert!((there.low - here.low - by).abs() < 1e-6);
        }
    }
}
