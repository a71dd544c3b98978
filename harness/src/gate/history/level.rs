//! The levels of a series of figures, and its changes.
//!
//! The method is optimal partitioning with the Schwarz criterion (`stats::change_points`). E-divisive means, which MongoDB
//! and Apache Otava (Hunter) use (Daly et al., ICPE 2020; Fleming et al., ICPE 2023), cuts greedily, one change after the other; on
//! the simulated histories of `tests.rs` this finds as many changes with a quarter of the false alarms.

use schemars::JsonSchema;
use serde::Serialize;

use crate::stats::{change_points, cut_range, median, noise, ramp, without_outliers};

/// Smallest number of gates between two changes: fewer may be outliers.
pub(crate) const SHORTEST: usize = 5;
/// Smallest number of gates in which a change can be seen.
pub(crate) const GATES_MIN: usize = 2 * SHORTEST;
/// Values further from their neighbours than this many standard deviations are outliers.
const OUTLIER_SDS: f64 = 4.0;
/// Smallest noise that is assumed, in percent: counts repeat exactly, and would show changes that nobody needs to know.
const NOISE_MIN_PCT: f64 = 0.1;
/// Smallest change that is listed, in percent of the median. Smaller ones are no reason to look at a commit, and are counted
/// together with their neighbours.
const CHANGE_MIN_PCT: f64 = 0.5;
/// A likelihood ratio of 20 to 1, in squared standard deviations: places for a change that fit worse are out of question.
const RANGE_TOLERANCE: f64 = 6.0;
/// Quantile of the normal distribution for 95 % intervals.
const SDS_95: f64 = 1.96;

/// A period between two changes.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Serialize)]
pub(crate) struct Level {
    /// The number of its first gate.
    pub from: usize,
    /// The number of its last gate.
    pub to: usize,
    /// The mean, in the unit of the values.
    pub mean: f64,
}

/// A change of the level.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Serialize)]
pub(crate) struct Shift {
    /// The number of the gate with which it most likely begins.
    pub gate: usize,
    /// The first gate with which it may begin.
    pub gate_first: usize,
    /// The last gate with which it may begin.
    pub gate_last: usize,
    /// The change in percent of the level before: more is worse.
    pub change_pct: f64,
    /// Lower end of its 95 % interval.
    pub low_pct: f64,
    /// Upper end of its 95 % interval.
    pub high_pct: f64,
}

/// Changes in one direction that a straight line explains as well.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Serialize)]
pub(crate) struct Drift {
    /// The number of the gate with which it begins.
    pub from: usize,
    /// The number of the gate with which it ends.
    pub to: usize,
    /// How many changes it may be instead of.
    pub shifts: usize,
    /// The change in percent of the level before: more is worse.
    pub change_pct: f64,
}

/// What a series shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Levels {
    pub(super) noise_pct: Option<f64>,
    pub(super) total_pct: Option<f64>,
    pub(super) levels: Vec<Level>,
    pub(super) shifts: Vec<Shift>,
    /// Changes that were seen and are smaller than what counts.
    pub(super) too_small: usize,
    pub(super) drifts: Vec<Drift>,
}

/// The levels of a series of values with the numbers of their gates. Changes smaller than `least`, in the unit of the values,
/// are not listed.
pub(super) fn levels(points: &[(usize, f64)], least: f64) -> Levels {
    let values: Vec<f64> = points.iter().map(|point| point.1).collect();
    if values.len() < GATES_MIN {
        return Levels::default();
    }
    let middle = median(&values).unwrap_or(0.0).abs();
    let noise_min = (middle * NOISE_MIN_PCT / 100.0).max(f64::MIN_POSITIVE);
    let values = without_outliers(&values, OUTLIER_SDS, noise_min);
    let sigma = noise(&values).max(noise_min);
    let penalty = penalty(values.len()) * sigma.powi(2);
    let mut series = Series {
        gates: points.iter().map(|point| point.0).collect(),
        cuts: change_points(&values, penalty, SHORTEST),
        values,
        sigma,
        // A percentage of nothing would be infinite.
        whole_min: least.max(noise_min),
    };
    series.drop_below(middle * CHANGE_MIN_PCT / 100.0);
    let listed = series.cuts.len();
    series.drop_below(least);
    Levels {
        too_small: listed - series.cuts.len(),
        ..series.found(middle)
    }
}

/// The price of a change in squared standard deviations: that of the Schwarz criterion, as a change has two parameters, its
/// place and its size; and more for short series, whose noise is known less well. By simulation, 3 to 7 % of series of 10 to 400
/// values without a change show one.
fn penalty(values: usize) -> f64 {
    let count = values as f64;
    2.0 * count.ln() * (1.0 + 10.0 / count)
}

/// A series and where its level changes.
struct Series {
    gates: Vec<usize>,
    values: Vec<f64>,
    cuts: Vec<usize>,
    sigma: f64,
    whole_min: f64,
}

impl Series {
    /// Begin and end of each segment.
    fn segments(&self) -> Vec<(usize, usize)> {
        let ends = self.cuts.iter().copied().chain([self.values.len()]);
        let begins = std::iter::once(0).chain(self.cuts.iter().copied());
        begins.zip(ends).collect()
    }

    fn mean(&self, (begin, end): (usize, usize)) -> f64 {
        self.values[begin..end].iter().sum::<f64>() / (end - begin) as f64
    }

    fn means(&self) -> Vec<f64> {
        let segments = self.segments();
        segments
            .into_iter()
            .map(|segment| self.mean(segment))
            .collect()
    }

    /// Removes the smallest change until all are at least this large: the rest of a drift may add up.
    fn drop_below(&mut self, least: f64) {
        loop {
            let means = self.means();
            let sizes = means.windows(2).map(|pair| (pair[1] - pair[0]).abs());
            let smallest = sizes
                .enumerate()
                .min_by(|one, other| one.1.total_cmp(&other.1));
            match smallest.filter(|(_, size)| *size < least) {
                Some((place, _)) => self.cuts.remove(place),
                None => return,
            };
        }
    }

    fn found(&self, middle: f64) -> Levels {
        let segments = self.segments();
        let means = self.means();
        let level = |(segment, mean): (&(usize, usize), &f64)| Level {
            from: self.gates[segment.0],
            to: self.gates[segment.1 - 1],
            mean: *mean,
        };
        let (first, last) = (means[0], means[means.len() - 1]);
        Levels {
            noise_pct: (middle > 0.0).then(|| 100.0 * self.sigma / middle),
            total_pct: Some(self.percent(first, last - first)),
            too_small: 0,
            levels: segments.iter().zip(&means).map(level).collect(),
            shifts: (0..self.cuts.len())
                .map(|place| self.shift(place))
                .collect(),
            drifts: self.drifts(&means),
        }
    }

    /// A difference in percent of a level.
    fn percent(&self, whole: f64, part: f64) -> f64 {
        100.0 * part / whole.abs().max(self.whole_min)
    }

    fn shift(&self, place: usize) -> Shift {
        let segments = self.segments();
        let (before, after) = (segments[place], segments[place + 1]);
        let [old, new] = [before, after].map(|segment| self.mean(segment));
        let count = |(begin, end): (usize, usize)| (end - begin) as f64;
        let error = SDS_95 * self.sigma * (1.0 / count(before) + 1.0 / count(after)).sqrt();
        let cut = self.cuts[place];
        let tolerance = RANGE_TOLERANCE * self.sigma.powi(2);
        let (first, last) = cut_range(&self.values, (before.0, cut, after.1), tolerance);
        Shift {
            gate: self.gates[cut],
            gate_first: self.gates[first],
            gate_last: self.gates[last],
            change_pct: self.percent(old, new - old),
            low_pct: self.percent(old, new - old - error),
            high_pct: self.percent(old, new - old + error),
        }
    }

    /// Runs of changes in one direction that a ramp explains as well.
    fn drifts(&self, means: &[f64]) -> Vec<Drift> {
        let rises: Vec<bool> = means.windows(2).map(|pair| pair[1] > pair[0]).collect();
        let mut drifts = Vec::new();
        let mut place = 0;
        for run in rises.chunk_by(|one, other| one == other) {
            drifts.extend(self.drift(place, place + run.len()));
            place += run.len();
        }
        drifts
    }

    /// The changes from `first` to before `end` as one ramp; `None` if steps fit better.
    fn drift(&self, first: usize, end: usize) -> Option<Drift> {
        let shifts = end - first;
        let segments = &self.segments()[first..=end];
        let (begin, end) = (segments[0].0, segments[shifts].1);
        let deviation = |segment: &(usize, usize)| {
            let mean = self.mean(*segment);
            let values = self.values[segment.0..segment.1].iter();
            values.map(|value| (value - mean).powi(2)).sum::<f64>()
        };
        let steps: f64 = segments.iter().map(deviation).sum();
        let line = ramp(&self.values[begin..end])?;
        let per_parameter = ((end - begin) as f64).ln() * self.sigma.powi(2);
        // A ramp has two levels and two ends; each step has a place, and each segment a level.
        let steps_cost = steps + (2 * shifts + 1) as f64 * per_parameter;
        let ramp_cost = line.deviation + 4.0 * per_parameter;
        (ramp_cost <= steps_cost).then(|| Drift {
            from: self.gates[begin + line.from],
            to: self.gates[begin + line.to],
            shifts,
            change_pct: self.percent(line.before, line.after - line.before),
        })
    }
}
