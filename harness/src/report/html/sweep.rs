//! The page of a sweep: the recommendation, every cell, and the plots.

use maud::{Markup, html};

use super::cells;
use super::classes::{Class, Grid, Kind};
use super::curves;
use super::number::{self, Unit};
use super::plot::{Axis, Bar, Bars, Group, Heat, HeatCell, Lines, Mark, Point, Series};
use super::{Page, facts, frame, safe};
use crate::bench::{Axis as Varied, SweepResult, Verdict};

/// Figures of one kind on one page; the table has what is not drawn.
const FIGURES_MAX: usize = 24;
/// What is plotted against the axis: metric, what it is, and its axis.
const METRICS: [(&str, &str, &str); 4] = [
    ("ops_per_s", "Throughput", "operations a second"),
    ("p50_us", "Median response time", "response time, p50"),
    (
        "p99_us",
        "99th percentile of response times",
        "response time, p99",
    ),
    (
        "server_cpu_us_per_op",
        "CPU time of the server",
        "CPU time an operation",
    ),
];

/// The page of a sweep.
pub fn sweep(page: &Page, result: &SweepResult) -> String {
    let grid = Grid::of(result);
    let content = html! {
        (answer(page, &grid))
        (cells::table(&grid))
        (against(&grid))
        (heat_maps(&grid))
        (latency(&grid))
    };
    frame(page, &content)
}

fn answer(page: &Page, grid: &Grid) -> Markup {
    let result = grid.result;
    let headline = safe(&result.recommendation.headline);
    let invalid = result.cells.iter().filter(|cell| !cell.valid).count();
    let plural = if result.cells.len() == 1 {
        "cell"
    } else {
        "cells"
    };
    let mut more = vec![format!(
        "{} {plural}, {} rounds",
        result.cells.len(),
        result.rounds
    )];
    if invalid > 0 {
        more.push(format!("{invalid} of them invalid"));
    }
    html! {
        h1 { @if headline.is_empty() { "No recommendation" } @else { (headline) } }
        (facts(page, &more))
        @if !result.recommendation.verdicts.is_empty() {
            ul.verdicts {
                @for verdict in &result.recommendation.verdicts { (one_verdict(verdict, grid)) }
            }
        }
    }
}

fn one_verdict(verdict: &Verdict, grid: &Grid) -> Markup {
    let change = verdict.change_percent.map(|change| {
        format!(
            "{:+.1} % ({:+.1} to {:+.1} %)",
            change.estimate, change.low, change.high
        )
    });
    let class = if verdict.value.is_some() {
        "change"
    } else {
        ""
    };
    html! {
        li class=(class) {
            span.value {
                @match &verdict.value {
                    Some(value) => (grid.value(&verdict.axis, value)),
                    None => "no change",
                }
            }
            span.class {
                (safe(&verdict.axis))
                @if !verdict.class.is_empty() { " at " (grid.named(&verdict.class)) }
                @if let Some(change) = change { " · " (verdict.metric) " " (change) }
            }
            p { (safe(&verdict.sentence)) }
        }
    }
}

/// Every metric against the axis: lines over numbers, bars for names.
fn against(grid: &Grid) -> Markup {
    let Some(axis) = grid.axis() else {
        return html! {};
    };
    let groups: Vec<(String, Vec<Markup>)> = match Kind::of(axis) {
        Kind::Numbers => {
            let plots = grid.plots().into_iter();
            plots
                .map(|(name, classes)| (name, lines(grid, axis, &classes)))
                .collect()
        }
        Kind::Names => {
            let classes = grid.classes.iter();
            classes
                .map(|class| (grid.named(&class.key), bars(grid, axis, class)))
                .collect()
        }
    };
    html! {
        section {
            h2 { "Against " (safe(&axis.name)) }
            (limited(groups))
        }
    }
}

/// Groups of figures under their names, as many as fit.
fn limited(groups: Vec<(String, Vec<Markup>)>) -> Markup {
    let mut drawn = 0;
    let (fit, beyond): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(_, figures)| {
        drawn += figures.len();
        drawn <= FIGURES_MAX
    });
    let beyond: usize = beyond.iter().map(|(_, figures)| figures.len()).sum();
    html! {
        @for (name, figures) in fit {
            @if !name.is_empty() && !figures.is_empty() { h3 { (name) } }
            div.figures { @for figure in figures { (figure) } }
        }
        @if beyond > 0 { p.aside { (beyond) " more are not drawn; the table has their numbers." } }
    }
}

fn lines(grid: &Grid, axis: &Varied, classes: &[&Class]) -> Vec<Markup> {
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
        // Wide intervals need room too, but what is not to be trusted does not set the scale alone.
        let values = all().flat_map(|point| [Some(point.y), point.interval.map(|ends| ends.1)]);
        let y = Axis::figures(label, unit, values.flatten());
        let caption = format!("{caption} against {}", safe(&axis.name));
        let desc = description(&caption, &series, unit);
        (!series.is_empty()).then(|| {
            Lines {
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

/// The setting that the colour stands for.
fn series_name(grid: &Grid, class: &Class) -> String {
    let colours = grid.colours().map(|axis| axis.name.as_str());
    let own = class.key.iter().filter(|(name, _)| Some(*name) == colours);
    match own.copied().collect::<Vec<_>>() {
        own if own.is_empty() => "all cells".into(),
        own => grid.named(&own),
    }
}

fn points(grid: &Grid, axis: &Varied, class: &Class, metric: &str) -> Vec<Point> {
    let of = |place: &usize| {
        let cell = &grid.result.cells[*place];
        let x = number::parsed(cell.requested(&axis.name)?)?;
        let estimate = grid.metric(*place, metric)?;
        let mark = mark(grid, *place);
        let unit = Unit::named(estimate.unit);
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

fn mark(grid: &Grid, place: usize) -> Mark {
    if !grid.result.cells[place].valid || !grid.measured(place).valid {
        Mark::Invalid
    } else if grid.result.cells[place].same_as.is_some() {
        Mark::Same
    } else {
        Mark::Plain
    }
}

fn unit(grid: &Grid, metric: &str) -> Option<Unit> {
    let mut cells = grid.result.cells.iter();
    let estimate = cells.find_map(|cell| cell.metrics.get(metric))?;
    Some(Unit::named(estimate.unit))
}

/// What a plot shows, for those who cannot see it.
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

/// The metrics of one class by name; p50 and p99 share a plot.
fn bars(grid: &Grid, axis: &Varied, class: &Class) -> Vec<Markup> {
    let plots: [(&str, &str, &[(&str, &'static str)]); 3] = [
        (
            "Throughput",
            "operations a second",
            &[("ops_per_s", "throughput")],
        ),
        (
            "Response times",
            "response time",
            &[("p50_us", "p50"), ("p99_us", "p99")],
        ),
        (
            "CPU time of the server",
            "CPU time an operation",
            &[("server_cpu_us_per_op", "CPU time")],
        ),
    ];
    let drawn = plots.into_iter().filter_map(|(caption, label, metrics)| {
        let group = |place: &usize| {
            let bars = metrics
                .iter()
                .enumerate()
                .filter_map(|(colour, (metric, name))| {
                    let estimate = grid.metric(*place, metric)?;
                    Some(Bar {
                        colour,
                        name,
                        value: estimate.estimate,
                        interval: Some((estimate.low, estimate.high)),
                        mark: mark(grid, *place),
                        text: number::figure(estimate.estimate, Unit::named(estimate.unit)),
                    })
                });
            Group {
                name: grid
                    .along_value(&grid.result.cells[*place])
                    .unwrap_or_default(),
                bars: bars.collect(),
            }
        };
        let groups: Vec<Group> = class.cells.iter().map(group).collect();
        let words = groups.iter().flat_map(|group| {
            group
                .bars
                .iter()
                .map(|bar| format!(" {}, {}: {}.", group.name, bar.name, bar.text))
        });
        let desc = format!(
            "{caption} by {}.{}",
            safe(&axis.name),
            words.collect::<String>()
        );
        groups.iter().any(|group| !group.bars.is_empty()).then(|| {
            Bars {
                caption: format!("{caption} by {}", safe(&axis.name)),
                desc,
                label: label.into(),
                of: safe(&axis.name),
                groups,
            }
            .draw()
        })
    });
    drawn.collect()
}

/// Throughput over two axes of sizes, relative to the best of each row.
fn heat_maps(grid: &Grid) -> Markup {
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

fn heat_map(grid: &Grid, columns: &Varied, rows: &Varied, of: &str, classes: &[&Class]) -> Markup {
    let metric = METRICS[0].0;
    let cell = |class: &Class, value: &String| {
        let place = class.cells.iter().copied().find(|place| {
            grid.result.cells[*place].requested(&columns.name) == Some(value.as_str())
        })?;
        let estimate = grid.metric(place, metric)?;
        Some(HeatCell {
            value: estimate.estimate,
            text: number::figure(estimate.estimate, Unit::named(estimate.unit)),
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

fn latency(grid: &Grid) -> Markup {
    let drawn = grid
        .classes
        .iter()
        .filter_map(|class| curves::of_class(grid, class));
    let figures: Vec<Markup> = drawn.take(FIGURES_MAX).collect();
    html! {
        @if !figures.is_empty() {
            section {
                h2 { "Response times to the 99.99th percentile" }
                div.figures { @for figure in figures { (figure) } }
            }
        }
    }
}
