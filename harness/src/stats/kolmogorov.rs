//! The Kolmogorov-Smirnov test: whether two samples have the same distribution.

/// Terms of the series are added until they no longer count.
const TERMS_MAX: i32 = 100;

/// The largest distance between the distribution functions of two samples, and the probability of at least this distance if
/// both have the same continuous distribution (Smirnov 1939; asymptotic, good from some 50 values each). `None` if a sample
/// is empty.
pub fn kolmogorov_smirnov(one: &[f64], other: &[f64]) -> Option<(f64, f64)> {
    if one.is_empty() || other.is_empty() {
        return None;
    }
    let sorted = |sample: &[f64]| {
        let mut sorted = sample.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted
    };
    let (one, other) = (sorted(one), sorted(other));
    let (mut at, mut at_other, mut distance) = (0, 0, 0.0_f64);
    while at < one.len() && at_other < other.len() {
        let value = one[at].min(other[at_other]);
        at += one[at..].iter().take_while(|own| **own <= value).count();
        at_other += other[at_other..]
            .iter()
            .take_while(|own| **own <= value)
            .count();
        let share = at as f64 / one.len() as f64;
        distance = distance.max((share - at_other as f64 / other.len() as f64).abs());
    }
    let sizes = (one.len() as f64, other.len() as f64);
    let scale = (sizes.0 * sizes.1 / (sizes.0 + sizes.1)).sqrt();
    Some((distance, survival(scale * distance)))
}

/// The probability that the Kolmogorov distribution exceeds `x`.
fn survival(x: f64) -> f64 {
    if x < 0.2 {
        // Below this, the series converges slowly, and the probability is 1 to twelve digits.
        return 1.0;
    }
    let term = |k: i32| {
        let sign = if k % 2 == 1 { 2.0 } else { -2.0 };
        sign * (-2.0 * f64::from(k * k) * x * x).exp()
    };
    let sum: f64 = (1..=TERMS_MAX).map(term).sum();
    sum.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_agrees_with_published_values() {
        // Critical values, as in scipy.stats.kstwobign.isf(p).
        for (x, p) in [
            (0.8275735551899077, 0.5),
            (1.2238478702170825, 0.1),
            (1.3580986393225505, 0.05),
            (1.6276236115189503, 0.01),
        ] {
            let got = survival(x);
            assert!((got - p).abs() < 1e-9, "{x}: {got}, expected {p}");
        }
    }

    #[test]
    fn the_distance_of_small_samples() {
        let (distance, _) =
            kolmogorov_smirnov(&[1.0, 2.0, 3.0, 4.0], &[3.0, 4.0, 5.0, 6.0]).unwrap();
        assert_eq!(distance, 0.5);
        assert_eq!(
            kolmogorov_smirnov(&[2.0, 1.0], &[1.0, 2.0]),
            Some((0.0, 1.0))
        );
        assert_eq!(kolmogorov_smirnov(&[1.0; 3], &[2.0; 3]).unwrap().0, 1.0);
        assert_eq!(kolmogorov_smirnov(&[], &[1.0]), None);
    }
}
