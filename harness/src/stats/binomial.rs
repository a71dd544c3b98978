//! Confidence intervals of a probability, from k successes in n trials.

use super::Interval;

/// Maximum number of bisection steps: enough to separate any two f64 values.
const HALVINGS: usize = 1200;
/// Relative size of a term at which the sum ends: the rest is below the precision of an f64.
const NEGLIGIBLE: f64 = 1e-18;

/// The exact two-sided confidence interval of a probability after `k` successes in `n` trials (Clopper and Pearson,
/// Biometrika 26, 1934): each tail has half of `1 - level`. Probabilities are between 0 and 1; the estimate is k / n.
///
/// The coverage is at least `level`. `None` if `n` is 0, `k` above `n`, or `level` not between 0 and 1.
pub fn clopper_pearson(k: u64, n: u64, level: f64) -> Option<Interval> {
    let sane = level > 0.0 && level < 1.0;
    sane.then(|| ends(k, n, (1.0 - level) / 2.0)).flatten()
}

/// The exact one-sided bounds: `low` is the lower bound at `level`, and `high` the upper bound at `level`. Use it if `k`
/// is 0 or `n`, where only one side is open: with 0 successes in `n` trials the upper bound is 1 - (1 - level)^(1/n),
/// about 3 / n at 95 %.
///
/// `None` if `n` is 0, `k` above `n`, or `level` below 0.5 or not below 1.
pub fn clopper_pearson_one_sided(k: u64, n: u64, level: f64) -> Option<Interval> {
    let sane = (0.5..1.0).contains(&level);
    sane.then(|| ends(k, n, 1.0 - level)).flatten()
}

fn ends(k: u64, n: u64, tail: f64) -> Option<Interval> {
    (n > 0 && k <= n).then(|| Interval {
        estimate: k as f64 / n as f64,
        low: lower(k, n, tail),
        high: 1.0 - lower(n - k, n, tail),
    })
}

/// The probability p at which P(X >= k) is `tail`, which is at most one half.
fn lower(k: u64, n: u64, tail: f64) -> f64 {
    if k == 0 {
        return 0.0;
    }
    if k == n {
        return (tail.ln() / n as f64).exp();
    }
    let choices = ln_choices(n, k);
    // If np is an integer it is the median, so P(X >= k) is at least one half at p = k / n.
    let (mut low, mut high) = (0.0, k as f64 / n as f64);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if ln_at_least(k, n, middle, choices) < tail.ln() {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// ln P(X >= k) for 0 < p <= k / n, where `choices` is ln(n over k). Sums from the largest term down.
fn ln_at_least(k: u64, n: u64, p: f64, choices: f64) -> f64 {
    let first = choices + k as f64 * p.ln() + (n - k) as f64 * (-p).ln_1p();
    let odds = p / (1.0 - p);
    let (mut term, mut sum) = (1.0, 1.0);
    for seen in k..n {
        term *= (n - seen) as f64 / (seen + 1) as f64 * odds;
        sum += term;
        if term < sum * NEGLIGIBLE {
            break;
        }
    }
    first + sum.ln()
}

/// ln of n over k.
fn ln_choices(n: u64, k: u64) -> f64 {
    let few = k.min(n - k);
    (1..=few)
        .map(|place| ((n - few + place) as f64 / place as f64).ln())
        .sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rounded(interval: Interval) -> (f64, f64) {
        let round = |share: f64| (share * 1e4).round() / 1e4;
        (round(interval.low), round(interval.high))
    }

    #[test]
    fn nothing_and_everything_have_closed_forms() {
        let none = clopper_pearson(0, 60, 0.95).unwrap();
        assert_eq!(rounded(none), (0.0, 0.0596));
        assert!((none.high - (1.0 - 0.025_f64.powf(1.0 / 60.0))).abs() < 1e-14);
        let all = clopper_pearson(60, 60, 0.95).unwrap();
        assert_eq!(rounded(all), (0.9404, 1.0));
        // The rule of three: 3 / 60.
        let bound = clopper_pearson_one_sided(0, 60, 0.95).unwrap();
        assert_eq!(rounded(bound), (0.0, 0.0487));
        assert_eq!(bound.low, 0.0);
    }

    #[test]
    fn what_makes_no_sense_has_no_interval() {
        assert!(clopper_pearson(0, 0, 0.95).is_none());
        assert!(clopper_pearson(2, 1, 0.95).is_none());
        assert!(clopper_pearson(1, 2, 1.0).is_none());
        assert!(clopper_pearson(1, 2, f64::NAN).is_none());
        assert!(clopper_pearson_one_sided(1, 2, 0.4).is_none());
    }

    #[test]
    fn many_trials_are_no_trouble() {
        // scipy 1.17: beta.ppf(0.025, k, n - k + 1) and beta.ppf(0.975, k + 1, n - k).
        for (k, n, low, high) in [
            (3, 1_000_000, 6.186_725_501_9e-7, 8.767_247_788_1e-6),
            (500_000, 1_000_000, 0.499_019_519_2, 0.500_980_480_8),
        ] {
            let got = clopper_pearson(k, n, 0.95).unwrap();
            assert!((got.low / low - 1.0).abs() < 1e-9, "{got:?}");
            assert!((got.high / high - 1.0).abs() < 1e-9, "{got:?}");
        }
    }

    proptest! {
        #[test]
        fn it_holds_the_estimate_and_is_its_own_mirror(n in 1_u64..400, part in 0.0..1.0_f64, level in 0.5..0.999_f64) {
            let k = (part * (n + 1) as f64) as u64;
            let here = clopper_pearson(k, n, level).unwrap();
            prop_assert!(0.0 <= here.low && here.low <= here.estimate);
            prop_assert!(here.estimate <= here.high && here.high <= 1.0);
            let mirror = clopper_pearson(n - k, n, level).unwrap();
            prop_assert!((here.low - (1.0 - mirror.high)).abs() < 1e-12);
            // One side of 97.5 % is one of the sides of 95 %.
            let bounds = clopper_pearson_one_sided(k, n, f64::midpoint(1.0, level)).unwrap();
            prop_assert!((bounds.low - here.low).abs() < 1e-9);
            prop_assert!((bounds.high - here.high).abs() < 1e-9);
        }
    }
}
