//! The values of one axis against each other, everything else being equal.

use super::chance::{Scores, p_of_largest_gain};
use super::{Entry, Figures};
use crate::bench::axis::Dimension;
use crate::stats::{Interval, hodges_lehmann};

/// Confidence of the intervals.
const LEVEL: f64 = 0.95;
/// Rounds in which both of a pair are valid, at least: with fewer no interval reaches 90 %.
pub const PAIRS_LEAST: usize = 5;
/// Values that differ by less are as good as each other, however surely they differ.
pub const MARGIN: f64 = 0.03;

/// A largest gain that chance makes with this probability, or a larger one, is no gain.
const BY_CHANCE: f64 = 0.05;

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metric {
    /// Replies a second.
    Throughput,
    /// CPU time of the server for each reply, where we were the limit and not the server.
    ServerCpu,
}

/// The values of one axis, in one class.
#[derive(Debug)]
pub(super) struct Contest<'a> {
    entries: Vec<&'a Entry>,
    /// Places of the values that can be compared: ascending if they are numbers, else as given.
    pub order: Vec<usize>,
    pub metric: Metric,
    /// We were the limit, and the server's CPU time cannot be seen.
    pub is_blind: bool,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Ruling {
    /// What the others are compared with.
    pub baseline: usize,
    /// The best estimate.
    pub best: usize,
    /// Values that are measurably better than the baseline, with the logarithm of their gain.
    pub better: Vec<(usize, Interval)>,
    /// Values that are not measurably worse than the best one, the baseline included.
    pub as_good: Vec<usize>,
    /// Values that the machine kept from being compared: any of them may be the best.
    pub left_out: Vec<usize>,
}

/// Why nothing can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unruled {
    /// Fewer than two values have figures that can be trusted.
    NoChoice,
    /// No two values were valid in enough rounds.
    TooFewRounds,
}

impl Metric {
    pub fn name(self) -> &'static str {
        match self {
            Self::Throughput => "ops_per_s",
            Self::ServerCpu => "server_cpu_us_per_op",
        }
    }

    /// The figure's logarithm, turned so that more is better.
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

    /// A gain is the logarithm of how many times better; this is the change of the figure in percent.
    pub fn change_percent(self, gain: Interval) -> Interval {
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
    /// `entries` are the cells of the values of `axis`, in their order.
    pub fn new(axis: &Dimension, entries: Vec<&'a Entry>) -> Self {
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
        let sees_cpu = rounds().all(|figures| Metric::ServerCpu.of(figures).is_some());
        Self {
            metric: match is_limited && sees_cpu {
                true => Metric::ServerCpu,
                false => Metric::Throughput,
            },
            is_blind: is_limited && !sees_cpu,
            entries,
            order,
        }
    }

    /// Compares all with the baseline, the kernel's own choice (0) or the smallest value, and with the
    /// best.
    pub fn rule(&self) -> Result<Ruling, Unruled> {
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
            let disturbed = entry.trouble.is_some_and(|trouble| trouble.may_pass);
            *place != baseline
                && !compared.contains(place)
                && !entry.is_merged
                && !entry.is_narrow
                && (entry.valid || disturbed)
        };
        (0..self.entries.len()).filter(is_left_out).collect()
    }

    /// `one` is better than `other` by more than the margin, surely.
    fn is_measurably_better(&self, one: usize, other: usize) -> bool {
        one != other
            && self
                .gain(one, other)
                .is_none_or(|gain| gain.low > MARGIN.ln_1p())
    }

    /// The logarithm of how many times better `one` is than `other`.
    pub fn gain(&self, one: usize, other: usize) -> Option<Interval> {
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

    /// By round, of the baseline and the values that were compared with it.
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

    /// Why values were not valid, each word once.
    pub fn troubles(&self) -> Vec<&'static str> {
        let troubled = self.entries.iter().filter(|entry| !entry.valid);
        let mut words: Vec<&str> = troubled
            .filter_map(|entry| Some(entry.trouble?.word))
            .collect();
        words.sort_unstable();
        words.dedup();
        words
    }

    /// Bytes of a request, where that is known.
    pub fn message_bytes(&self) -> Option<usize> {
        let known = self.entries.iter().filter_map(|entry| entry.message_bytes);
        known.max()
    }
}

impl Ruling {
    /// Values that can be recommended, in order: better than the baseline, and no worse than the best.
    pub fn recommendable(&self) -> impl Iterator<Item = (usize, Interval)> {
        self.better
            .iter()
            .filter(|(place, _)| self.as_good.contains(place))
            .copied()
    }

    /// A value that was left out may be better than this one; of numbers a larger one.
    pub fn may_hide_better(&self, axis: &Dimension, value: usize) -> bool {
        let number = |place: usize| axis.values[place].number;
        let mut left_out = self.left_out.iter();
        left_out.any(|other| !axis.is_numeric() || number(*other) > number(value))
    }

    /// By how much this value is better than the baseline.
    pub fn gain_of(&self, value: usize) -> Option<Interval> {
        let mut all = self.better.iter();
        all.find(|(place, _)| *place == value)
            .map(|(_, gain)| *gain)
    }
}
