//! Throughput over two axes of sizes, relative to the best of each row.

use maud::{Markup, html};

use super::super::classes::{Class, SweepView};
use super::super::plot::{Heat, HeatCell};
use super::super::{number, safe};
use super::{FIGURES_MAX, mark};
use crate::bench::SweepAxis;

/// The metric of the map.
const METRIC: &str = "ops_per_s";

/// One map per setting of the axes that are neither rows nor columns.
pub(super) fn section(grid: &SweepView) -> Markup {
    let (Some(columns), Some(rows)) = (grid.axis(), grid.colours()) else {
        return html! {};
    };
    if !columns.is_bytes || !rows.is_bytes {
        return html! {};
    }
    let maps: Vec<Markup> = grid
        .plots()
        .into_iter()
        .take(FIGURES_MAX)
        .filter(|(_, classes)| classes.len() > 1)
        .map(|(name, classes)| heat_map(grid, columns, rows, &name, &classes))
        .collect();
    html! { @for map in maps { div.wide { (map) } } }
}

fn heat_map(
    grid: &SweepView,
    columns: &SweepAxis,
    rows: &SweepAxis,
    of: &str,
    classes: &[&Class],
) -> Markup {
    let cell = |class: &Class, value: &String| {
        let place = class.cells.iter().copied().find(|place| {
            grid.result.cells[*place].requested(&columns.name) == Some(value.as_str())
        })?;
        let estimate = grid.metric(place, METRIC)?;
        Some(HeatCell {
            value: estimate.estimate,
            text: number::figure(estimate.estimate, estimate.unit),
            mark: mark(grid, place),
        })
    };
    let row = |class: &&Class| {
        let value = class.key.iter().find(|(name, _)| *name == rows.name);
        let name = value.map_or(String::new(), |(name, value)| grid.value(name, value));
        let cells = columns.values.iter().map(|value| cell(class, value));
        (name, cells.collect())
    };
    let comma = if of.is_empty() { "" } else { ", " };
    let caption = format!(
        "Throughput by {} and {}, relative to the best of each row{comma}{of}",
        safe(&rows.name),
        safe(&columns.name)
    );
    let names = columns
        .values
        .iter()
        .map(|value| grid.value(&columns.name, value));
    Heat {
        desc: format!("{caption}. The table of all cells has the numbers."),
        caption,
        x_label: safe(&columns.name),
        y_label: safe(&rows.name),
        columns: names.collect(),
        rows: classes.iter().map(row).collect(),
    }
    .draw()
}
