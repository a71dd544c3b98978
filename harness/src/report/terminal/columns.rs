//! Cells in columns.

use unicode_width::UnicodeWidthStr as _;

use crate::report::wrap::wrap;

/// As [`lines()`]; where these do not fit the terminal, a text for each row, of its headings and cells, and an empty one in place of
/// the headings, which are the first row.
pub(super) fn lines_within<R: AsRef<[String]>>(
    rows: &[R],
    is_left: impl Fn(usize) -> bool,
    columns: Option<usize>,
) -> Vec<String> {
    let side_by_side = lines(rows, is_left);
    let fits = |columns: usize| side_by_side.iter().all(|line| line.width() < columns);
    let (Some((heads, cells)), false) = (rows.split_first(), columns.is_none_or(fits)) else {
        return side_by_side;
    };
    let row = |row: &R| {
        let named = heads.as_ref().iter().zip(row.as_ref());
        let named = named.filter(|(_, cell)| !matches!(cell.trim(), "" | "-"));
        let named: Vec<String> = named
            .map(|(head, cell)| format!("{head} {}", cell.trim()).trim_start().to_owned())
            .collect();
        wrap(&named.join(", "), 2, columns)
    };
    std::iter::once(String::new())
        .chain(cells.iter().map(row))
        .collect()
}

/// A line for each row, with cells as wide as the widest one of their column, and nothing behind the last one. Cells of columns for
/// which `is_left` holds are aligned to the left, as words are, and the others to the right, as figures are.
pub(super) fn lines<R: AsRef<[String]>>(
    rows: &[R],
    is_left: impl Fn(usize) -> bool,
) -> Vec<String> {
    let mut widths = Vec::new();
    for row in rows {
        for (column, cell) in row.as_ref().iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(column) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let line = |row: &R| {
        let cells = row.as_ref().iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| match is_left(column) {
            true => format!("{cell:<width$}"),
            false => format!("{cell:>width$}"),
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_does_not_fit_is_a_text_for_each_row() {
        let rows = [
            ["payload", "replies/s", "p50", ""],
            ["64 B", "46.4 k [42.6 k, 59.6 k]", "479 µs", "invalid"],
            ["1 KiB", "", "", ""],
        ]
        .map(|row| row.map(str::to_owned));
        let within = |columns| lines_within(&rows, |_| false, columns);
        assert_eq!(within(None), within(Some(80)));
        assert!(within(Some(80))[1].contains("46.4 k"));
        assert_eq!(
            within(Some(40)),
            [
                "",
                "payload 64 B, replies/s 46.4 k [42.6\n  k, 59.6 k], p50 479 µs, invalid",
                "payload 1 KiB"
            ]
        );
    }
}
