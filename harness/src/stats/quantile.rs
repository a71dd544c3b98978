//! Quantiles of small samples.

/// The median; `None` without values.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The `q`-quantile, 0 <= q <= 1, with linear interpolation (Hyndman and Fan, type 7); `None` without values.
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let place = q.clamp(0.0, 1.0) * last as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let above = (below + 1).min(last);
    Some(sorted[below] + part * (sorted[above] - sorted[below]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_neighbours() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        // numpy.quantile([1, 2, 4, 8], [0, 0.25, 0.9, 1]) = [1, 1.75, 6.8, 8]
        for (q, expected) in [(0.0, 1.0), (0.25, 1.75), (0.9, 6.8), (1.0, 8.0)] {
            let got = quantile(&[8.0, 1.0, 4.0, 2.0], q).unwrap();
            assert!((got - expected).abs() < 1e-12, "{q}: {got}");
        }
    }
}
