//! The percentile curve of response times of a cell over all its rounds. Pure.

use crate::load::recorder::Times;

/// Quantiles of the curve.
const QUANTILES: [f64; 10] = [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999];
/// Minimum number of samples above a quantile for it to be part of the curve.
const SAMPLES_BEYOND: f64 = 10.0;

/// Points (quantile, microseconds), ascending, as far as there are enough samples.
pub(super) fn curve(times: &Times) -> Vec<(f64, f64)> {
    // A product such as 10,000 * (1 - 0.999) is slightly below 10.
    let stands = |q: &&f64| times.len() as f64 * (1.0 - **q) >= SAMPLES_BEYOND - 1e-6;
    let point = |q: &f64| {
        let nanos = times.value_at_quantile(*q);
        let middle = times.median_equivalent(nanos);
        (*q, middle.clamp(times.min(), times.max()) as f64 / 1e3)
    };
    QUANTILES.iter().filter(stands).map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::recorder::times;

    #[test]
    fn it_ends_where_samples_do() {
        assert_eq!(curve(&times()), []);
        let mut seen = times();
        (1..=10_000_u64).for_each(|n| seen.saturating_record(n * 1000));
        let points = curve(&seen);
        assert_eq!(points.last().unwrap().0, 0.999);
        assert_eq!(points.len(), 9);
        for (q, micros) in &points[1..] {
            assert!(
                (micros / (q * 10_000.0) - 1.0).abs() < 2e-3,
                "{q}: {micros}"
            );
        }
        assert!((points[0].1 - 1.0).abs() < 1e-3);
        assert!(points.is_sorted_by(|one, other| one.1 <= other.1));
    }
}
