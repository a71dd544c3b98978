//! The values of one axis against each other, all other settings being equal.

use super::Entry;
use super::chance::{Scores, p_of_largest_gain};
use crate::bench::axis::Dimension;
use crate::bench::figures::Figures;
use crate::stats::{Interval, hodges_lehmann};

/// Confidence level of the intervals.
const LEVEL: f64 = 0.95;
/// Minimum number of rounds in which both values of a pair are valid: with fewer no interval reaches 90 %.
pub(super) const PAIRS_LEAST: usize = 5;
/// Minimum relevant difference, as a share: values that differ by less are equally good, however significant the
/// difference.
pub(super) const MARGIN: f64 = 0.03;

/// Significance level of the largest gain: a gain that is more probable by chance does not count.
const BY_CHANCE: f64 = 0.05;

/// The metric by which values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DecidingMetric {
    /// Replies per second.
    Throughput,
    /// CPU time of the server per reply, used if the client was the limit.
    ServerCpu,
}

/// The values of one axis in one class.
#[derive(Debug)]
pub(super) struct Contest<'a> {
    entries: Vec<&'a Entry>,
    /// Indices of the comparable values: ascending if they are numbers, otherwise as given.
    pub order: Vec<usize>,
    pub metric: DecidingMetric,
    /// The client was the limit, and the server's CPU time is unknown.
    pub is_blind: bool,
}

/// The outcome of a comparison.
#[derive(Debug)]
pub(super) struct Ruling {
    /// The value that the others are compared with.
    pub baseline: usize,
    /// The value with the best estimate.
    pub best: usize,
    /// Values that are measurably better than the baseline, with their gains as log ratios.
    pub better: Vec<(usize, Interval)>,
    /// Values that are not measurably worse than the best one, including the baseline.
    pub as_good: Vec<usize>,
    /// Values that could not be compared because of disturbances: any of them may be the best.
    pub left_out: Vec<usize>,
}

/// Why values could not be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unruled {
    /// Fewer than two values are valid.
    NoChoice,
    /// No two values were both valid in enough rounds.
    TooFewRounds,
}

impl DecidingMetric {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Throughput => "ops_per_s",
            Self::ServerCpu => "server_cpu_us_per_op",
        }
    }

    /// The logarithm of the figure, negated if lower is better.
    fn score(self, figures: &Figures) -> Option<f64> {
        let log = self.of(figures)?.ln();
        Some(match self {
            Self::Throughput => log,
            Self::ServerCpu => -log,
        })
    }

    fn of(self, figures: &Figures) -> Option<f64> {
        let figure = match self {
            Self::Throughput => Some(figures.ops_per_s),
            Self::ServerCpu => figures.server_cpu_us_per_op,
        };
        figure.filter(|figure| *figure > 0.0)
    }

    /// Converts a gain, the log ratio towards better, to the change of the figure in percent.
    pub(crate) fn change_percent(self, gain: Interval) -> Interval {
        let percent = |log: f64| log.exp_m1() * 100.0;
        match self {
            Self::Throughput => Interval {
                estimate: percent(gain.estimate),
                low: percent(gain.low),
                high: percent(gain.high),
            },
            Self::ServerCpu => Interval {
                estimate: percent(-gain.estimate),
                low: percent(-gain.high),
                high: percent(-gain.low),
            },
        }
    }
}

impl<'a> Contest<'a> {
    /// A comparison of the values of `axis`; `entries` are their cells, in the same order.
    pub(crate) fn new(axis: &Dimension, entries: Vec<&'a Entry>) -> Self {
        let mut order: Vec<usize> = (0..entries.len())
            .filter(|place| entries[*place].valid && !entries[*place].is_merged)
            .collect();
        if axis.is_numeric() {
            order.sort_by_key(|place| axis.values[*place].number);
        }
        let rounds = || {
            order
                .iter()
                .flat_map(|place| &entries[*place].rounds)
                .flatten()
        };
        let limited = rounds().filter(|figures| figures.client_limited).count();
        let is_limited = limited * 2 > rounds().count();
        let sees_cpu = rounds().all(|figures| DecidingMetric::ServerCpu.of(figures).is_some());
        Self {
            metric: if is_limited && sees_cpu {
                DecidingMetric::ServerCpu
            } else {
                DecidingMetric::Throughput
            },
            is_blind: is_limited && !sees_cpu,
            entries,
            order,
        }
    }

    /// Compares all values with the baseline, which is the kernel's default (0) or the smallest value, and with the
    /// best.
    pub(crate) fn rule(&self) -> Result<Ruling, Unruled> {
        let [baseline, others @ ..] = self.order.as_slice() else {
            return Err(Unruled::NoChoice);
        };
        let candidates: Vec<usize> = others
            .iter()
            .copied()
            .filter(|place| !self.entries[*place].is_narrow)
            .collect();
        if candidates.is_empty() {
            return Err(Unruled::NoChoice);
        }
        let gains: Vec<(usize, Interval)> = candidates
            .iter()
            .filter_map(|place| Some((*place, self.gain(*place, *baseline)?)))
            .collect();
        if gains.is_empty() {
            return Err(Unruled::TooFewRounds);
        }
        let compared: Vec<usize> = gains.iter().map(|(place, _)| *place).collect();
        let best = gains
            .iter()
            .filter(|(_, gain)| gain.estimate > 0.0)
            .max_by(|one, other| one.1.estimate.total_cmp(&other.1.estimate))
            .map_or(*baseline, |(place, _)| *place);
        let as_good = std::iter::once(*baseline)
            .chain(gains.iter().map(|(place, _)| *place))
            .filter(|place| !self.is_measurably_better(best, *place))
            .collect();
        let is_better = |gain: &Interval| gain.low > 0.0 && gain.estimate > MARGIN.ln_1p();
        let mut better = gains.clone();
        better.retain(|(_, gain)| is_better(gain));
        if !better.is_empty() && p_of_largest_gain(&self.scores(*baseline, &gains)) > BY_CHANCE {
            better.clear();
        }
        Ok(Ruling {
            baseline: *baseline,
            best,
            better,
            as_good,
            left_out: self.left_out(*baseline, &compared),
        })
    }

    fn left_out(&self, baseline: usize, compared: &[usize]) -> Vec<usize> {
        let is_left_out = |place: &usize| {
            let entry = self.entries[*place];
            let disturbed = entry
                .trouble
                .as_ref()
                .is_some_and(|trouble| trouble.may_pass);
            *place != baseline
                && !compared.contains(place)
                && !entry.is_merged
                && !entry.is_narrow
                && (entry.valid || disturbed)
        };
        (0..self.entries.len()).filter(is_left_out).collect()
    }

    /// Whether `one` is significantly better than `other` by more than the margin.
    fn is_measurably_better(&self, one: usize, other: usize) -> bool {
        one != other
            && self
                .gain(one, other)
                .is_none_or(|gain| gain.low > MARGIN.ln_1p())
    }

    /// The gain of `one` over `other` as a log ratio.
    pub(crate) fn gain(&self, one: usize, other: usize) -> Option<Interval> {
        let pairs = self.entries[one]
            .rounds
            .iter()
            .zip(&self.entries[other].rounds);
        let ratios: Vec<f64> = pairs
            .filter_map(|(one, other)| {
                Some(self.metric.score(one.as_ref()?)? - self.metric.score(other.as_ref()?)?)
            })
            .collect();
        let enough = ratios.len() >= PAIRS_LEAST;
        enough.then(|| hodges_lehmann(&ratios, LEVEL)).flatten()
    }

    /// The scores of the baseline and of the values compared with it, by round.
    fn scores(&self, baseline: usize, compared: &[(usize, Interval)]) -> Vec<Scores> {
        let score = |place: usize, round: usize| {
            let figures = self.entries[place].rounds[round].as_ref();
            self.metric.score(figures?)
        };
        let places = || compared.iter().map(|(place, _)| *place);
        (0..self.entries[baseline].rounds.len())
            .map(|round| {
                let all = std::iter::once(baseline).chain(places());
                all.map(|place| score(place, round)).collect()
            })
            .collect()
    }

    /// The reasons why values were invalid, each word once.
    pub(crate) fn troubles(&self) -> Vec<&str> {
        let troubled = self.entries.iter().filter(|entry| !entry.valid);
        let mut words: Vec<&str> = troubled
            .filter_map(|entry| Some(entry.trouble.as_ref()?.word.as_ref()))
            .collect();
        words.sort_unstable();
        words.dedup();
        words
    }

    /// Bytes of a request, if known.
    pub(crate) fn message_bytes(&self) -> Option<usize> {
        let known = self.entries.iter().filter_map(|entry| entry.message_bytes);
        known.max()
    }
}

impl Ruling {
    /// Recommendable values in order: better than the baseline, and no worse than the best.
    pub(crate) fn recommendable(&self) -> impl Iterator<Item = (usize, Interval)> {
        self.better
            .iter()
            .filter(|(place, _)| self.as_good.contains(place))
            .copied()
    }

    /// Whether a value that was left out may be better than this one; among numbers, a larger one.
    pub(crate) fn may_hide_better(&self, axis: &Dimension, value: usize) -> bool {
        let number = |place: usize| axis.values[place].number;
        let mut left_out = self.left_out.iter();
        left_out.any(|other| !axis.is_numeric() || number(*other) > number(value))
    }

    /// The gain of this value over the baseline.
    pub(crate) fn gain_of(&self, value: usize) -> Option<Interval> {
        let mut all = self.better.iter();
        all.find(|(place, _)| *place == value)
            .map(|(_, gain)| *gain)
    }
}
