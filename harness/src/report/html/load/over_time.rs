//! Throughput and response times of a load over time, as plots and as numbers.

use maud::{Markup, html};

use super::super::number::{figure, interval};
use super::super::plot::{Lines, Mark, PlotAxis, Point, Series};
use crate::data::Unit;
use crate::load::{WindowSummary, Workload};

pub(super) fn section(workload: &Workload, steps: &[WindowSummary]) -> Markup {
    // A window is drawn at its centre.
    let half = match steps {
        [first, second, ..] => (second.start_s - first.start_s) / 2.0,
        _ => 0.0,
    };
    let end = steps.last().map_or(0.0, |last| last.start_s + 2.0 * half);
    let end = end.max(workload.duration.as_secs_f64());
    let series = |name: &str, value: fn(&WindowSummary) -> f64| Series {
        name: name.into(),
        points: steps
            .iter()
            .map(|step| Point {
                x: step.start_s + half,
                y: value(step),
                interval: None,
                mark: Mark::Plain,
                tip: String::new(),
            })
            .collect(),
        signs: false,
    };
    let plots = [
        (
            "Throughput over time",
            "operations per second",
            Unit::PerSecond,
            vec![series("throughput", |step| step.ops_per_s)],
        ),
        (
            "Response times over time",
            "response time",
            Unit::Micros,
            vec![
                series("p50", |step| step.p50_us),
                series("p99", |step| step.p99_us),
                series("longest", |step| step.max_us),
            ],
        ),
    ];
    html! {
        @if steps.len() > 1 {
            section {
                h2 { "Over time" }
                div.figures {
                    @for (caption, label, unit, series) in plots {
                        (timeline(caption, label, unit, series, end))
                    }
                }
                (windows(steps))
            }
        }
    }
}

fn timeline(caption: &str, label: &str, unit: Unit, series: Vec<Series>, end_s: f64) -> Markup {
    let values = series
        .iter()
        .flat_map(|series| &series.points)
        .map(|point| point.y);
    let y = PlotAxis::figures(label, unit, values);
    let mut desc = format!("{caption}; the table below has the numbers.");
    for one in &series {
        let values = one.points.iter().map(|point| point.y);
        let (low, high) = (
            values.clone().fold(f64::INFINITY, f64::min),
            values.fold(f64::NEG_INFINITY, f64::max),
        );
        desc.push_str(&format!(" {}: {}.", one.name, interval(low, high, unit)));
    }
    let x = PlotAxis::time(end_s);
    let caption = caption.to_owned();
    Lines {
        rules: Vec::new(),
        caption,
        desc,
        x,
        y,
        series,
    }
    .draw()
}

/// The windows as a table.
fn windows(steps: &[WindowSummary]) -> Markup {
    html! {
        details {
            summary { "The " (steps.len()) " windows as numbers" }
            div.scroll {
                table {
                    thead {
                        tr {
                            th scope="col" { "from" }
                            @for name in ["throughput", "p50", "p99", "longest"] { th scope="col" { (name) } }
                        }
                    }
                    tbody {
                        @for step in steps {
                            tr {
                                th scope="row" { (format!("{:.2} s", step.start_s)) }
                                td { (figure(step.ops_per_s, Unit::PerSecond)) }
                                @for time in [step.p50_us, step.p99_us, step.max_us] {
                                    td { (figure(time, Unit::Micros)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
