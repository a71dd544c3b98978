//! Axes of plots: positions of values, and ticks.

use super::super::number;
use super::text_width;
use crate::data::Unit;

/// Ratio of the largest to the smallest value above which the scale is logarithmic.
const LOG_FROM_RATIO: f64 = 10.0;
/// Maximum number of ticks on an axis of measured values.
const TICKS_MAX: usize = 6;
/// Minimum gap between the labels of two ticks.
const LABEL_GAP: f64 = 9.0;

/// Maps values to positions: 0 at the start of the axis, 1 at its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// Proportional to the value.
    Linear {
        /// Value at the start.
        low: f64,
        /// Value at the end.
        high: f64,
    },
    /// Logarithmic. Values that are not above zero are at the start.
    Log {
        /// Value at the start.
        low: f64,
        /// Value at the end.
        high: f64,
    },
    /// Quantiles with 0, 0.9, 0.99, ... at equal distances, up to this number of nines.
    Nines(f64),
}

/// A scale with its label and ticks.
#[derive(Debug, Clone)]
pub(in super::super) struct PlotAxis {
    /// What it shows, with the unit.
    pub(in super::super) label: String,
    pub(super) scale: Scale,
    /// Values with their labels, ascending.
    pub(super) ticks: Vec<(f64, String)>,
}

impl Scale {
    pub(super) fn place(self, value: f64) -> f64 {
        let place = match self {
            Self::Linear { low, high } => (value - low) / (high - low),
            Self::Log { .. } if value <= 0.0 => 0.0,
            Self::Log { low, high } => (value / low).ln() / (high / low).ln(),
            Self::Nines(nines) => -(1.0 - value).max(f64::MIN_POSITIVE).log10() / nines,
        };
        if place.is_finite() {
            place.clamp(0.0, 1.0)
        } else {
            0.0
        }
    }
}

impl PlotAxis {
    /// An axis of settings that are sizes or counts: logarithmic, with one tick per setting. Zero has no position on it
    /// and is set apart at the start.
    pub(in super::super) fn settings(label: String, settings: &[(f64, String)]) -> Self {
        let mut ticks = settings.to_vec();
        ticks.sort_by(|one, other| one.0.total_cmp(&other.0));
        ticks.dedup_by(|one, other| one.0 == other.0);
        let above: Vec<f64> = ticks
            .iter()
            .map(|tick| tick.0)
            .filter(|at| *at > 0.0)
            .collect();
        let low = above.first().copied().unwrap_or(1.0);
        let high = above.last().copied().unwrap_or(1.0);
        // Zero and the smallest setting are an eighth of the axis apart, or at least one doubling.
        let apart = (high / low).powf(0.125).max(2.0);
        let (low, high) = match (above.len() == ticks.len(), above.len() > 1) {
            (true, true) => (low, high),
            (true, false) => (low / 2.0, high * 2.0),
            (false, _) => (low / apart, high.max(low * 1.5)),
        };
        Self {
            label,
            scale: Scale::Log { low, high },
            ticks,
        }
    }

    /// An axis of measured values: from zero, or logarithmic if their ratio exceeds [`LOG_FROM_RATIO`].
    pub(in super::super) fn figures(
        label: &str,
        unit: Unit,
        values: impl Iterator<Item = f64>,
    ) -> Self {
        let (mut low, mut high) = (f64::INFINITY, 0.0f64);
        for value in values.filter(|value| value.is_finite() && *value > 0.0) {
            low = low.min(value);
            high = high.max(value);
        }
        let is_log = high > low * LOG_FROM_RATIO;
        let (scale, ticks) = if is_log {
            by_factors(low, high)
        } else {
            from_zero(if high > 0.0 { high } else { 1.0 })
        };
        let ticks = ticks.into_iter().map(|at| (at, number::tick(at, unit)));
        Self {
            label: format!("{label}{}", if is_log { " (log scale)" } else { "" }),
            scale,
            ticks: ticks.collect(),
        }
    }

    /// An axis of seconds since the start of a measurement.
    pub(in super::super) fn time(seconds: f64) -> Self {
        Self {
            label: "time since the start of the measured period, seconds".into(),
            ..Self::since_start(seconds)
        }
    }

    /// The same from the start of the run on.
    pub(in super::super) fn since_start(seconds: f64) -> Self {
        let end = if seconds > 0.0 { seconds } else { 1.0 };
        let (_, ticks) = from_zero(end);
        let ticks = ticks.into_iter().filter(|at| *at <= end * 1.001);
        Self {
            label: "time since the start, seconds".into(),
            scale: Scale::Linear {
                low: 0.0,
                high: end,
            },
            ticks: ticks
                .map(|at| (at, number::tick(at, Unit::Count)))
                .collect(),
        }
    }

    /// An axis of consecutive numbers from 1 on.
    pub(in super::super) fn numbers(label: &str, count: usize) -> Self {
        let (_, ticks) = from_zero(count as f64);
        let ticks = ticks.into_iter().map(|tick| tick.max(1.0));
        Self {
            label: label.to_owned(),
            scale: Scale::Linear {
                low: 1.0,
                high: (count as f64).max(2.0),
            },
            ticks: ticks
                .filter(|tick| *tick <= count as f64 && tick.fract() == 0.0)
                .map(|tick| (tick, format!("{tick:.0}")))
                .collect(),
        }
    }

    /// An axis of changes in percent, which may be negative.
    pub(in super::super) fn changes(label: &str, values: impl Iterator<Item = f64>) -> Self {
        let (mut low, mut high) = (0.0f64, 0.0f64);
        for value in values.filter(|value| value.is_finite()) {
            low = low.min(value);
            high = high.max(value);
        }
        // Exact counts that never changed still have a scale.
        high = high.max(low + 1.0);
        let (_, steps) = from_zero(high - low);
        let step = steps[1];
        let (first, last) = ((low / step).floor() as i64, (high / step).ceil() as i64);
        let last = last.max(first + 1);
        let decimals = (-step.log10().floor()).clamp(0.0, 3.0) as usize;
        let tick = |place: i64| {
            let value = place as f64 * step;
            let text = match place {
                0 => "0 %".to_owned(),
                _ => format!("{value:+.decimals$} %"),
            };
            (value, text)
        };
        Self {
            label: label.to_owned(),
            scale: Scale::Linear {
                low: first as f64 * step,
                high: last as f64 * step,
            },
            ticks: (first..=last).map(tick).collect(),
        }
    }

    /// An axis of percentiles up to 99.99 %, with the tail stretched.
    pub(in super::super) fn percentiles() -> Self {
        let names = ["0", "90", "99", "99.9", "99.99"];
        let at = |place: usize| 1.0 - 10f64.powi(-(place as i32));
        let ticks = names.iter().enumerate();
        Self {
            label: "percentile, %".into(),
            scale: Scale::Nines(4.0),
            ticks: ticks
                .map(|(place, name)| (at(place), (*name).to_owned()))
                .collect(),
        }
    }

    /// Whether the scale is logarithmic.
    pub(super) fn is_logarithmic(&self) -> bool {
        matches!(self.scale, Scale::Log { .. })
    }

    /// The ticks whose labels fit on an axis of this length: all, or every second, third, ... On a logarithmic scale
    /// zero is always labelled.
    pub(super) fn labelled(&self, length: f64) -> Vec<&(f64, String)> {
        let is_log = self.is_logarithmic();
        let (apart, rest): (Vec<_>, Vec<_>) =
            (self.ticks.iter()).partition(|(value, _)| is_log && *value <= 0.0);
        for stride in 1..=rest.len().max(1) {
            let kept = apart.iter().chain(rest.iter().step_by(stride));
            let kept: Vec<&(f64, String)> = kept.copied().collect();
            let edge = |tick: &(f64, String), side: f64| {
                self.scale.place(tick.0) * length + side * text_width(&tick.1) / 2.0
            };
            let has_room =
                |pair: &[&(f64, String)]| edge(pair[0], 1.0) + LABEL_GAP <= edge(pair[1], -1.0);
            if kept.windows(2).all(has_room) {
                return kept;
            }
        }
        apart
    }
}

/// Round values from zero up to at least `high`.
pub(in super::super) fn ticks_from_zero(high: f64) -> Vec<f64> {
    from_zero(high).1
}

/// A linear scale from zero whose ticks are 1, 2 or 5 times a power of ten apart.
pub(super) fn from_zero(high: f64) -> (Scale, Vec<f64>) {
    let least = high / (TICKS_MAX - 1) as f64;
    let ten = 10f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * ten);
    let step = step.into_iter().find(|step| *step >= least * 0.999);
    let step = step.unwrap_or(10.0 * ten);
    let steps = (high / step - 1e-9).ceil().max(1.0) as usize;
    let ticks: Vec<f64> = (0..=steps).map(|place| place as f64 * step).collect();
    let high = steps as f64 * step;
    (Scale::Linear { low: 0.0, high }, ticks)
}

/// A logarithmic scale that contains both values. Its ends are 1, 2 or 5 times a power of ten, and so are its ticks if
/// there are few; otherwise 1 or 3 times, or powers of ten only.
pub(super) fn by_factors(low: f64, high: f64) -> (Scale, Vec<f64>) {
    let fine = grid(&[1.0, 2.0, 5.0], low, high);
    // The last candidate not above `low`, and the first not below `high`.
    let begin = fine.iter().rev().find(|at| **at <= low * 1.001);
    let end = fine.iter().find(|at| **at >= high * 0.999);
    let (low, high) = (begin.copied().unwrap_or(low), end.copied().unwrap_or(high));
    let is_in = |at: &f64| *at >= low * 0.999 && *at <= high * 1.001;
    let mut ticks = Vec::new();
    for times in [&[1.0, 2.0, 5.0][..], &[1.0, 3.0], &[1.0]] {
        ticks = grid(times, low, high).into_iter().filter(is_in).collect();
        if ticks.len() <= TICKS_MAX {
            break;
        }
    }
    let stride = ticks.len().div_ceil(TICKS_MAX).max(1);
    let ticks = ticks.into_iter().step_by(stride).collect();
    (Scale::Log { low, high }, ticks)
}

/// Multiples of powers of ten, from below `low` to above `high`.
fn grid(times: &[f64], low: f64, high: f64) -> Vec<f64> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let powers = (first..=last).map(|power| 10f64.powi(power));
    powers
        .flat_map(|power| times.iter().map(move |times| times * power))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-9
    }

    #[test]
    fn a_log_scale_gives_equal_factors_equal_room() {
        let scale = Scale::Log {
            low: 64.0,
            high: 16_384.0,
        };
        assert!(close(scale.place(64.0), 0.0) && close(scale.place(16_384.0), 1.0));
        assert!(close(scale.place(1024.0), 0.5));
        assert!(close(scale.place(0.0), 0.0) && close(scale.place(1e9), 1.0));
        assert!(close(scale.place(f64::NAN), 0.0));
    }

    #[test]
    fn nines_are_drawn_out() {
        let scale = Scale::Nines(4.0);
        assert!(close(scale.place(0.0), 0.0) && close(scale.place(0.9), 0.25));
        assert!(close(scale.place(0.99), 0.5) && close(scale.place(1.0), 1.0));
    }

    #[test]
    fn ticks_are_round_and_hold_the_data() {
        let (scale, ticks) = from_zero(12_345.0);
        assert_eq!(ticks, [0.0, 5_000.0, 10_000.0, 15_000.0]);
        assert!(close(scale.place(15_000.0), 1.0));
        assert_eq!(from_zero(1.0).1.len(), 6);
        let (scale, ticks) = by_factors(70.0, 900.0);
        assert_eq!(ticks, [50.0, 100.0, 200.0, 500.0, 1000.0]);
        assert!(scale.place(70.0) > 0.0 && scale.place(900.0) < 1.0);
        let (scale, ticks) = by_factors(800.0, 120_000.0);
        assert_eq!(ticks, [1e3, 3e3, 1e4, 3e4, 1e5]);
        assert!(close(scale.place(500.0), 0.0) && close(scale.place(200_000.0), 1.0));
        let ticks = by_factors(3.0, 2e9).1;
        assert!(ticks.len() <= TICKS_MAX && ticks.len() > 3, "{ticks:?}");
    }

    #[test]
    fn zero_stands_apart_from_the_sizes() {
        let settings = [0.0, 64.0, 128.0, 256.0].map(|size| (size, size.to_string()));
        let axis = PlotAxis::settings("recv_buffer".into(), &settings);
        assert!(close(axis.scale.place(0.0), 0.0));
        assert!(axis.scale.place(64.0) > 0.2);
        let one = PlotAxis::settings("connections".into(), &[(50.0, "50".into())]);
        assert!(close(one.scale.place(50.0), 0.5));
    }

    #[test]
    fn labels_do_not_overlap() {
        let settings: Vec<_> = (6..=18)
            .map(|power| f64::from(1u32 << power))
            .map(|size| (size, number::figure(size, Unit::Bytes)))
            .chain([(0.0, "auto".into())])
            .collect();
        let axis = PlotAxis::settings("recv_buffer".into(), &settings);
        assert_eq!(axis.labelled(5_000.0).len(), 14);
        let kept = axis.labelled(400.0);
        assert!(kept.len() < 14 && kept.len() > 4, "{kept:?}");
        assert_eq!(kept[0].1, "auto");
    }

    #[test]
    fn figures_far_apart_are_drawn_by_factors() {
        let near = PlotAxis::figures("rate", Unit::PerSecond, [900.0, 1_000.0].into_iter());
        assert!(matches!(near.scale, Scale::Linear { low: 0.0, .. }));
        let far = PlotAxis::figures("rate", Unit::PerSecond, [10.0, 1_000.0].into_iter());
        assert!(matches!(far.scale, Scale::Log { .. }));
        assert!(far.label.ends_with("(log scale)"));
        let none = PlotAxis::figures("rate", Unit::PerSecond, [f64::NAN].into_iter());
        assert!(close(none.scale.place(0.0), 0.0));
    }
}
