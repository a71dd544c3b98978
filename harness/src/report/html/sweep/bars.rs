//! The metrics of one class by the names on an axis.

use maud::Markup;

use super::super::classes::{Class, SweepView};
use super::super::plot::{Bar, Bars, Group};
use super::super::{number, safe};
use super::mark;
use crate::bench::SweepAxis;

/// The content of one plot.
struct Shown {
    caption: &'static str,
    label: &'static str,
    /// Metrics with their names in the legend.
    metrics: &'static [(&'static str, &'static str)],
}

const PLOTS: [Shown; 3] = [
    Shown {
        caption: "Throughput",
        label: "operations per second",
        metrics: &[("ops_per_s", "throughput")],
    },
    Shown {
        caption: "Response times",
        label: "response time",
        metrics: &[("p50_us", "p50"), ("p99_us", "p99")],
    },
    Shown {
        caption: "CPU time of the server",
        label: "CPU time per operation",
        metrics: &[("server_cpu_us_per_op", "CPU time")],
    },
];

/// The plots that have data.
pub(super) fn draw(grid: &SweepView, axis: &SweepAxis, class: &Class) -> Vec<Markup> {
    let plots = PLOTS.iter().map(|shown| plot(grid, axis, class, shown));
    let has_bars = |plot: &Bars| plot.groups.iter().any(|group| !group.bars.is_empty());
    plots.filter(has_bars).map(|plot| plot.draw()).collect()
}

fn plot(grid: &SweepView, axis: &SweepAxis, class: &Class, shown: &Shown) -> Bars {
    let cells = class.cells.iter();
    let groups: Vec<Group> = cells.map(|place| group(grid, *place, shown)).collect();
    let caption = format!("{} by {}", shown.caption, safe(&axis.name));
    let mut desc = format!("{caption}.");
    for group in &groups {
        for bar in &group.bars {
            desc.push_str(&format!(" {}, {}: {}.", group.name, bar.name, bar.text));
        }
    }
    Bars {
        caption,
        desc,
        label: shown.label.into(),
        of: safe(&axis.name),
        groups,
    }
}

fn group(grid: &SweepView, place: usize, shown: &Shown) -> Group {
    let bars = shown.metrics.iter().enumerate();
    let bars = bars.filter_map(|(colour, (metric, name))| {
        let estimate = grid.metric(place, metric)?;
        Some(Bar {
            colour,
            name,
            value: estimate.estimate,
            interval: Some((estimate.low, estimate.high)),
            mark: mark(grid, place),
            text: number::figure(estimate.estimate, estimate.unit),
        })
    });
    Group {
        name: grid
            .along_value(&grid.result.cells[place])
            .unwrap_or_default(),
        bars: bars.collect(),
    }
}
