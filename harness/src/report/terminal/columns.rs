//! Cells in columns.

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
