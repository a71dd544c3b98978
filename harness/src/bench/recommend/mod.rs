//! Which value is best, by how much, and with which confidence. Pure: rounds in, sentences out.
//!
//! Values are compared round by round: a temporary slowdown of the machine affects both cells of a pair, so the ratio of
//! a pair is more precise than its parts. The estimate over all rounds is that of Hodges and Lehmann, with its interval.

mod answer;
mod chance;
mod headline;
mod judge;
mod words;

#[cfg(test)]
mod made;
#[cfg(test)]
mod tests;

use self::answer::ClassAnswer;
use self::judge::Contest;
use super::axis::Dimension;
use super::figures::Figures;
use super::grid::Grid;
use super::knob::Knob;
use super::refusal::Trouble;
use super::result::{AxisVerdict, Recommendation};

/// What the recommendation knows of one cell.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Entry {
    /// By round; `None` if it was not visited or the visit was invalid.
    pub rounds: Vec<Option<Figures>>,
    /// The cell is valid as a whole.
    pub valid: bool,
    /// The receive window holds less than two segments: such a value is never recommended.
    pub is_narrow: bool,
    /// It has the same settings in force as an earlier cell.
    pub is_merged: bool,
    /// The most frequent reason of its invalid rounds.
    pub trouble: Option<Trouble>,
    /// Bytes of its longest request on the wire, if known.
    pub message_bytes: Option<usize>,
}

/// Recommends values of these axes; `entries` are the cells of their [`Grid`].
pub(super) fn recommend(axes: &[Dimension], entries: &[Entry]) -> Recommendation {
    let mut headlines = Vec::new();
    let mut verdicts: Vec<AxisVerdict> = Vec::new();
    for (place, axis) in axes.iter().enumerate() {
        if axis.knob.is_class() || axis.values.len() < 2 {
            continue;
        }
        let answers = answers(axes, place, entries);
        headlines.push(headline::headline(axis, &answers));
        verdicts.extend(answers.into_iter().map(|answer| answer.verdict));
    }
    let headline = if headlines.is_empty() {
        "nothing to recommend: only the workload was varied, no setting".to_owned()
    } else {
        headlines.join("; ")
    };
    Recommendation { headline, verdicts }
}

/// The answer for one axis in each class of the other axes.
///
/// A socket buffer must be good for every segment size, so the segment axis forms no classes for it.
fn answers(axes: &[Dimension], asked: usize, entries: &[Entry]) -> Vec<ClassAnswer> {
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

/// The settings of the axes that belong to the class.
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
