//! Which value is best, by how much, how sure. Pure: rounds in, sentences out.
//!
//! Values are compared round by round: what slows the machine down for a while slows both cells of a
//! pair, so that the ratio of a pair says more than its parts. The estimate over all rounds is the one of
//! Hodges and Lehmann, with its interval.

mod answer;
mod chance;
mod judge;
mod words;

#[cfg(test)]
mod made;
#[cfg(test)]
mod tests;

pub use judge::{MARGIN, PAIRS_LEAST};

use self::answer::Answer;
use self::judge::Contest;
use super::axis::Dimension;
use super::grid::Grid;
use super::knob::Knob;
use super::refusal::Trouble;
use super::result::{Recommendation, Verdict};

/// What is known of one cell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entry {
    /// By round; `None` where it was not visited, or what was measured is not to be trusted.
    pub rounds: Vec<Option<Figures>>,
    /// Its figures can be trusted, all in all.
    pub valid: bool,
    /// Its receive window holds less than two segments: never recommended.
    pub is_narrow: bool,
    /// It is the same as an earlier cell.
    pub is_merged: bool,
    /// The most frequent reason why rounds of it were not valid.
    pub trouble: Option<Trouble>,
    /// Bytes of its longest request on the wire, where that is known.
    pub message_bytes: Option<usize>,
}

/// The figures of one visit.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Replies a second.
    pub ops_per_s: f64,
    /// Bytes a second, both ways together.
    pub bytes_per_s: f64,
    /// Median response time.
    pub p50_us: f64,
    /// 99th percentile of it.
    pub p99_us: f64,
    /// CPU time of the server for each reply, where it can be seen.
    pub server_cpu_us_per_op: Option<f64>,
    /// Ours.
    pub client_cpu_us_per_op: f64,
    /// We were busy all of the time and the server was not: it may be able to do more.
    pub client_limited: bool,
}

/// Recommends on these axes; `entries` are the cells of their [`Grid`].
pub fn recommend(axes: &[Dimension], entries: &[Entry]) -> Recommendation {
    let mut headlines = Vec::new();
    let mut verdicts: Vec<Verdict> = Vec::new();
    for (place, axis) in axes.iter().enumerate() {
        if axis.knob.is_class() || axis.values.len() < 2 {
            continue;
        }
        let answers = answers(axes, place, entries);
        headlines.push(words::headline(axis, &answers));
        verdicts.extend(answers.into_iter().map(|answer| answer.verdict));
    }
    let headline = match headlines.is_empty() {
        true => "nothing to recommend: no setting was varied, only the use".to_owned(),
        false => headlines.join("; "),
    };
    Recommendation { headline, verdicts }
}

/// The answer on one axis for each combination of the others.
///
/// A socket buffer has to be good whatever the segments: their axis makes no classes then.
fn answers(axes: &[Dimension], asked: usize, entries: &[Entry]) -> Vec<Answer> {
    let grid = Grid::new(axes);
    let segments = axes
        .iter()
        .position(|axis| axis.knob == Knob::ClientMss)
        .filter(|_| axes[asked].knob.buffer().is_some());
    let starts = (0..grid.cells()).filter(|cell| {
        let place = grid.place(*cell);
        place[asked] == 0 && segments.is_none_or(|segments| place[segments] == 0)
    });
    starts
        .map(|start| {
            let start = grid.place(start);
            let contest = |segment: Option<usize>| {
                let mut place = start.clone();
                if let (Some(axis), Some(segment)) = (segments, segment) {
                    place[axis] = segment;
                }
                let entries = (0..axes[asked].values.len()).map(|value| {
                    place[asked] = value;
                    &entries[grid.cell(&place)]
                });
                Contest::new(&axes[asked], entries.collect())
            };
            let class = class(axes, &start, |axis| axis != asked && Some(axis) != segments);
            match segments {
                None => answer::plain(&axes[asked], &class, &contest(None)),
                Some(segments) => {
                    let contests = axes[segments].values.iter().enumerate();
                    let contests: Vec<_> = contests
                        .map(|(place, mss)| (mss.text.as_str(), contest(Some(place))))
                        .collect();
                    answer::for_all_segments(&axes[asked], &class, &contests)
                }
            }
        })
        .collect()
}

/// The settings of some axes at this place.
fn class<'a>(
    axes: &'a [Dimension],
    place: &[usize],
    belongs: impl Fn(usize) -> bool,
) -> Vec<(&'a Dimension, usize)> {
    let all = axes.iter().zip(place).enumerate();
    all.filter(|(axis, _)| belongs(*axis))
        .map(|(_, (axis, value))| (axis, *value))
        .collect()
}
