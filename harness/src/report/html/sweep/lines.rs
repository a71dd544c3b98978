//! Every metric against a numeric axis: one line per setting of another axis.

use maud::Markup;

use super::super::classes::{Class, SweepView};
use super::super::plot::{Lines, Mark, PlotAxis, Point, Series};
use super::super::{number, safe};
use super::mark;
use crate::bench::SweepAxis;
use crate::data::Unit;

/// The metrics to plot: name, caption, label of the y axis.
const METRICS: [(&str, &str, &str); 4] = [
    ("ops_per_s", "Throughput", "operations per second"),
    ("p50_us", "Median response time", "response time, p50"),
    (
        "p99_us",
        "99th percentile of response times",
        "response time, p99",
    ),
    (
        "server_cpu_us_per_op",
        "CPU time of the server",
        "CPU time per operation",
    ),
];

/// One plot per measured metric.
pub(super) fn draw(grid: &SweepView, axis: &SweepAxis, classes: &[&Class]) -> Vec<Markup> {
    let drawn = METRICS.iter().filter_map(|(metric, caption, label)| {
        let series: Vec<Series> = classes
            .iter()
            .map(|class| Series {
                name: series_name(grid, class),
                points: points(grid, axis, class, metric),
                signs: true,
            })
            .filter(|series| !series.points.is_empty())
            .collect();
        let unit = unit(grid, metric)?;
        let all = || series.iter().flat_map(|series| &series.points);
        // The scale includes the upper ends of the intervals.
        let values = all().flat_map(|point| [Some(point.y), point.interval.map(|ends| ends.1)]);
        let y = PlotAxis::figures(label, unit, values.flatten());
        let caption = format!("{caption} against {}", safe(&axis.name));
        let desc = description(&caption, &series, unit);
        (!series.is_empty()).then(|| {
            Lines {
                rules: Vec::new(),
                caption,
                desc,
                x: grid.scale(axis),
                y,
                series,
            }
            .draw()
        })
    });
    drawn.collect()
}

/// The setting that a colour stands for.
fn series_name(grid: &SweepView, class: &Class) -> String {
    let colours = grid.colours().map(|axis| axis.name.as_str());
    let own = class.key.iter().filter(|(name, _)| Some(*name) == colours);
    match own.copied().collect::<Vec<_>>() {
        own if own.is_empty() => "all cells".into(),
        own => grid.named(&own),
    }
}

fn points(grid: &SweepView, axis: &SweepAxis, class: &Class, metric: &str) -> Vec<Point> {
    let of = |place: &usize| {
        let cell = &grid.result.cells[*place];
        let x = number::parsed(cell.requested(&axis.name)?)?;
        let estimate = grid.metric(*place, metric)?;
        let mark = mark(grid, *place);
        let unit = estimate.unit;
        let settings: Vec<(&str, &str)> = (cell.axes.iter())
            .map(|(name, setting)| (name.as_str(), setting.requested.as_str()))
            .collect();
        Some(Point {
            x,
            y: estimate.estimate,
            interval: (mark != Mark::Same).then_some((estimate.low, estimate.high)),
            mark,
            tip: format!(
                "{}: {} ({}){}",
                grid.named(&settings),
                number::figure(estimate.estimate, unit),
                number::interval(estimate.low, estimate.high, unit),
                if mark == Mark::Invalid {
                    ", invalid"
                } else {
                    ""
                }
            ),
        })
    };
    let mut points: Vec<Point> = class.cells.iter().filter_map(of).collect();
    points.sort_by(|one, other| one.x.total_cmp(&other.x));
    points
}

fn unit(grid: &SweepView, metric: &str) -> Option<Unit> {
    let mut cells = grid.result.cells.iter();
    let estimate = cells.find_map(|cell| cell.metrics.get(metric))?;
    Some(estimate.unit)
}

/// A textual description of the plot for those who cannot see it.
fn description(caption: &str, series: &[Series], unit: Unit) -> String {
    let mut desc = format!("{caption}; the table of all cells has the numbers.");
    for one in series {
        let sound = one
            .points
            .iter()
            .filter(|point| point.mark != Mark::Invalid);
        let values: Vec<f64> = sound.map(|point| point.y).collect();
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        desc.push_str(&format!(
            " {}: {}.",
            one.name,
            number::interval(low, high, unit)
        ));
    }
    desc
}
