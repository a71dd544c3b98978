//! A small histogram of times.

use std::fmt::Write as _;

use super::style::{BOLD, DIM, RESET};
use crate::load::recorder::Times;

/// Maximum number of rows; what lies beyond them belongs to the first or the last one.
const ROWS_MAX: usize = 10;
/// Maximum length of a bar, in columns.
const BAR_MAX: usize = 40;
/// Columns of a row besides its bar.
const BESIDE: usize = 32;
/// Bars shorter than this say nothing.
const BAR_MIN: usize = 6;
/// A column is filled in eighths.
const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// One row: all times from `from` on and below `to`, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bin {
    from: u64,
    to: u64,
    count: u64,
}

/// Draws the distribution on a scale of 1, 2, 5, 10, ...; nothing if there are no times.
pub(super) fn draw(text: &mut String, title: &str, times: &Times, columns: Option<usize>) {
    let bins = bins(times);
    let all: u64 = bins.iter().map(|bin| bin.count).sum();
    let Some(most) = bins
        .iter()
        .map(|bin| bin.count)
        .max()
        .filter(|most| *most > 0)
    else {
        return;
    };
    let room = columns.map_or(BAR_MAX, |columns| {
        columns.saturating_sub(BESIDE).min(BAR_MAX)
    });
    let _ = writeln!(text, "{BOLD}{title}{RESET}");
    for bin in bins {
        let share = bin.count as f64 / all as f64 * 100.0;
        let share = match share {
            _ if bin.count == 0 => String::new(),
            _ if share < 0.1 => "< 0.1 %".to_owned(),
            _ => format!("{share:.1} %"),
        };
        let range = format!("{} to {}", shown(bin.from), shown(bin.to));
        let bar = match room {
            room if room < BAR_MIN => String::new(),
            room => bar(bin.count as f64 / most as f64 * room as f64),
        };
        let line = format!("{range:>18}  {share:>8}  {bar}");
        let _ = writeln!(text, "{DIM}{}{RESET}", line.trim_end());
    }
    text.push('\n');
}

/// A bar of this many columns.
fn bar(columns: f64) -> String {
    let eighths = (columns * 8.0).round() as usize;
    // What is there at all is visible.
    let eighths = if columns > 0.0 { eighths.max(1) } else { 0 };
    let part = (eighths % 8).checked_sub(1).map(|part| EIGHTHS[part]);
    "█".repeat(eighths / 8).chars().chain(part).collect()
}

/// A round number of microseconds.
fn shown(micros: u64) -> String {
    match micros {
        _ if micros < 1_000 => format!("{micros} µs"),
        _ if micros < 1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{} s", micros / 1_000_000),
    }
}

/// The times in bins of round bounds, without empty ones at the ends.
fn bins(times: &Times) -> Vec<Bin> {
    let mut bins: Vec<Bin> = bounds()
        .map(|(from, to)| Bin { from, to, count: 0 })
        .collect();
    for recorded in times.iter_recorded() {
        let micros = recorded.value_iterated_to() / 1_000;
        let place = bins.partition_point(|bin| bin.to <= micros);
        let place = place.min(bins.len() - 1);
        bins[place].count += recorded.count_at_value();
    }
    let first = bins.iter().position(|bin| bin.count > 0);
    let last = bins.iter().rposition(|bin| bin.count > 0);
    let (Some(first), Some(last)) = (first, last) else {
        return Vec::new();
    };
    let mut bins = bins[first..=last].to_vec();
    while bins.len() > ROWS_MAX {
        // The end with fewer times is joined with what is beside it.
        if bins[0].count <= bins[bins.len() - 1].count {
            let joined = bins.remove(0);
            bins[0].from = joined.from;
            bins[0].count += joined.count;
        } else if let Some(joined) = bins.pop()
            && let Some(end) = bins.last_mut()
        {
            end.to = joined.to;
            end.count += joined.count;
        }
    }
    bins
}

/// From 0 to an hour.
fn bounds() -> impl Iterator<Item = (u64, u64)> {
    let steps = (0..10).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)));
    let steps: Vec<u64> = std::iter::once(0).chain(steps).collect();
    let pairs: Vec<(u64, u64)> = steps.windows(2).map(|pair| (pair[0], pair[1])).collect();
    pairs.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::recorder::times;

    fn of(micros: &[(u64, u64)]) -> Times {
        let mut all = times();
        for (micros, count) in micros {
            all.record_n(micros * 1_000, *count).unwrap();
        }
        all
    }

    fn drawn(times: &Times, columns: Option<usize>) -> Vec<String> {
        let mut text = String::new();
        draw(&mut text, "times", times, columns);
        let plain = text.replace(DIM, "").replace(BOLD, "").replace(RESET, "");
        plain.lines().map(str::to_owned).collect()
    }

    #[test]
    fn every_time_is_in_one_row_and_the_longest_bar_is_the_fullest() {
        let times = of(&[(60, 500), (99, 100), (100, 300), (450, 100)]);
        let rows = bins(&times);
        let counts: Vec<(u64, u64)> = rows.iter().map(|bin| (bin.from, bin.count)).collect();
        assert_eq!(counts, [(50, 600), (100, 300), (200, 100)]);
        let lines = drawn(&times, None);
        assert!(lines[1].contains("50 µs to 100 µs    60.0 %"), "{lines:?}");
        let length = |line: &str| line.matches('█').count();
        assert_eq!([1, 2, 3].map(|row| length(&lines[row])), [40, 20, 6]);
    }

    #[test]
    fn rows_are_few_and_none_is_lost() {
        let times = of(&[
            (3, 1),
            (30, 10),
            (300, 90),
            (3_000, 900),
            (30_000, 5),
            (3_000_000, 2),
        ]);
        let rows = bins(&times);
        assert_eq!(rows.len(), ROWS_MAX);
        assert_eq!(rows.iter().map(|bin| bin.count).sum::<u64>(), 1_008);
        assert!(rows.windows(2).all(|pair| pair[0].to == pair[1].from));
        assert!(bins(&of(&[])).is_empty());
        assert!(drawn(&of(&[]), None).is_empty());
    }

    #[test]
    fn lines_keep_within_the_terminal() {
        let times = of(&[(60, 500), (9_000, 1)]);
        for columns in [20, 40, 80, 140] {
            let lines = drawn(&times, Some(columns));
            let widest = lines.iter().map(|line| line.chars().count()).max();
            assert!(widest < Some(columns.max(31)), "{columns}: {lines:?}");
        }
        let lines = drawn(&times, Some(60));
        assert!(lines.last().unwrap().ends_with("< 0.1 %") || lines.concat().contains('▏'));
    }
}
