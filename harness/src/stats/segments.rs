//! Change points in the mean of a series.
//!
//! Optimal partitioning (Jackson et al., An algorithm for optimal partitioning of data on an interval, IEEE Signal
//! Processing Letters 12, 2005; Killick, Fearnhead and Eckley, Optimal detection of changepoints with a linear computational
//! cost, JASA 107, 2012, whose pruning a few thousand values do not need): of all ways to cut a series into segments, the one
//! with the least sum of squared deviations from the means of the segments plus a penalty for each cut.

use super::median;

/// Turns a median of absolute deviations into the standard deviation of a normal distribution.
const SD_PER_MAD: f64 = 1.4826;
/// Standard deviations from which on a difference of two values is no noise.
const STEP_SDS: f64 = 4.0;
/// Values on each side of one that its neighbourhood has.
const NEIGHBOURS: usize = 3;

/// Where the segments of the best partition begin, except the first one, ascending.
///
/// `penalty` is the price of a cut, in squares of the unit of the values; no segment is shorter than `shortest` (at least 1).
/// Takes time proportional to the square of the number of values.
pub fn change_points(values: &[f64], penalty: f64, shortest: usize) -> Vec<usize> {
    let count = values.len();
    let shortest = shortest.max(1);
    let sums = Sums::of(values);
    // The cost of the best partition of all values before a place, and where its last segment begins.
    let mut best = vec![(f64::INFINITY, 0); count + 1];
    best[0].0 = -penalty;
    for end in shortest..=count {
        for begin in 0..=end - shortest {
            let cost = best[begin].0 + sums.deviation(begin, end) + penalty;
            if cost < best[end].0 {
                best[end] = (cost, begin);
            }
        }
    }
    let mut cuts = Vec::new();
    let mut end = count;
    while best[end].0.is_finite() && best[end].1 > 0 {
        end = best[end].1;
        cuts.push(end);
    }
    cuts.reverse();
    cuts
}

/// The places around the change point `cut` at which a cut fits the values between `begin` and `end` nearly as well: by no more
/// than `tolerance`, in squares of the unit of the values. First and last of them.
pub fn cut_range(
    values: &[f64],
    (begin, cut, end): (usize, usize, usize),
    tolerance: f64,
) -> (usize, usize) {
    let sums = Sums::of(&values[begin..end]);
    let cost = |at: usize| sums.deviation(0, at - begin) + sums.deviation(at - begin, end - begin);
    let fits = |at: &usize| cost(*at) <= cost(cut) + tolerance;
    let first = (begin + 1..=cut).rev().take_while(fits).last();
    let last = (cut..end).take_while(fits).last();
    (first.unwrap_or(cut), last.unwrap_or(cut))
}

/// The standard deviation of the noise of a series, from the differences of successive values, to which its changes contribute
/// little (von Neumann et al., The mean square successive difference, Annals of Mathematical Statistics 12, 1941). Differences
/// further from zero than four usual ones are steps, and left out. 0 for fewer than two values.
pub fn noise(values: &[f64]) -> f64 {
    let sizes: Vec<f64> = values
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).abs())
        .collect();
    let usual = median(&sizes).unwrap_or(0.0) * SD_PER_MAD;
    let kept = sizes.iter().filter(|size| **size <= STEP_SDS * usual);
    let (count, squares) = kept.fold((0.0, 0.0), |(count, sum), size| {
        (count + 1.0, sum + size * size)
    });
    if count > 0.0 {
        (squares / count / 2.0_f64).sqrt()
    } else {
        0.0
    }
}

/// The series with its outliers moved to the edge of what is usual: `limit` standard deviations from the median of the
/// neighbourhood (the Hampel identifier; Davies and Gather, The identification of multiple outliers, JASA 88, 1993). A value
/// that one or two measurements show is an outlier, and not a change. `least` is the smallest standard deviation.
pub fn without_outliers(values: &[f64], limit: f64, least: f64) -> Vec<f64> {
    let usual = |place: usize| {
        let begin = place.saturating_sub(NEIGHBOURS);
        let end = (place + NEIGHBOURS + 1).min(values.len());
        median(&values[begin..end]).unwrap_or(values[place])
    };
    let usual: Vec<f64> = (0..values.len()).map(usual).collect();
    let distances: Vec<f64> = (values.iter().zip(&usual))
        .map(|(value, usual)| (value - usual).abs())
        .collect();
    let spread = median(&distances).unwrap_or(0.0) * SD_PER_MAD;
    let far = limit * spread.max(least);
    (values.iter().zip(&usual))
        .map(|(value, usual)| value.clamp(usual - far, usual + far))
        .collect()
}

/// A line that connects two levels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ramp {
    /// The place of the last value on the first level.
    pub from: usize,
    /// The place of the first value on the second level.
    pub to: usize,
    /// The first level.
    pub before: f64,
    /// The second level.
    pub after: f64,
    /// The sum of the squared deviations of the values.
    pub deviation: f64,
}

/// Places at which the best ramp may begin and end.
const KNEES: usize = 40;

/// The ramp that fits a series best: one level, a straight line, another level. `None` for fewer than three values.
pub fn ramp(values: &[f64]) -> Option<Ramp> {
    let last = values.len().checked_sub(1).filter(|last| *last >= 2)?;
    let knees: Vec<usize> = (0..last)
        .step_by(last.div_ceil(KNEES))
        .chain([last])
        .collect();
    let pairs = knees
        .iter()
        .enumerate()
        .flat_map(|(place, from)| knees[place + 1..].iter().map(move |to| (*from, *to)));
    pairs
        .map(|(from, to)| ramp_between(values, from, to))
        .min_by(|one, other| one.deviation.total_cmp(&other.deviation))
}

/// Both levels by least squares.
fn ramp_between(values: &[f64], from: usize, to: usize) -> Ramp {
    let share = |place: usize| {
        let along = place as f64 - from as f64;
        (along / (to - from) as f64).clamp(0.0, 1.0)
    };
    let count = values.len() as f64;
    let places = || values.iter().enumerate();
    let mean_share = places().map(|(place, _)| share(place)).sum::<f64>() / count;
    let mean = values.iter().sum::<f64>() / count;
    let (mut squares, mut products) = (0.0, 0.0);
    for (place, value) in places() {
        squares += (share(place) - mean_share).powi(2);
        products += (share(place) - mean_share) * (value - mean);
    }
    let rise = if squares > 0.0 {
        products / squares
    } else {
        0.0
    };
    let before = mean - rise * mean_share;
    let off = places().map(|(place, value)| (value - before - rise * share(place)).powi(2));
    Ramp {
        from,
        to,
        before,
        after: before + rise,
        deviation: off.sum(),
    }
}

/// Sums of the values before each place, and of their squares.
struct Sums(Vec<(f64, f64)>);

impl Sums {
    fn of(values: &[f64]) -> Self {
        // Around zero, so that the differences of squares lose no digits.
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        let mut sums = vec![(0.0, 0.0)];
        let (mut sum, mut squares) = (0.0, 0.0);
        for value in values {
            sum += value - mean;
            squares += (value - mean).powi(2);
            sums.push((sum, squares));
        }
        Self(sums)
    }

    /// The sum of squared deviations from the mean of the values from `begin` to before `end`.
    fn deviation(&self, begin: usize, end: usize) -> f64 {
        if begin >= end {
            return 0.0;
        }
        let ((sum, squares), (past, past_squares)) = (self.0[end], self.0[begin]);
        let deviation = squares - past_squares - (sum - past).powi(2) / (end - begin) as f64;
        deviation.max(0.0)
    }
}

#[cfg(test)]
mod tests;
