//! The page of a history: the answer, and for each machine the levels, the changes and a plot of each metric.

use maud::{Markup, html};

use super::plot::{Lines, Mark, PlotAxis, Point, Rule, Series};
use super::{Page, frame, safe};
use crate::gate::history::{MachineHistory, Trend};
use crate::report::HistoryReport;
use crate::report::trends::{CHANGE_HEADS, HEADS, change, drift, hows, name, row, title, value};

/// The page of a history.
pub(crate) fn history(page: &Page, report: &HistoryReport) -> String {
    let content = html! {
        h1 { (safe(&report.answer())) }
        @for machine in &report.history.machines {
            section {
                h2 { (safe(&title(machine))) }
                (changes(machine))
                @if machine.trends.iter().any(|trend| !trend.levels.is_empty()) {
                    div.figures {
                        @for trend in sorted(machine) { (plot(machine, trend)) }
                    }
                }
                (levels(machine))
            }
        }
        section {
            h2 { "How it was found" }
            @for how in hows(&report.history) { p { (safe(&how)) } }
        }
    };
    frame(page, &content)
}

/// The trends that can be judged, those with changes first.
fn sorted(machine: &MachineHistory) -> Vec<&Trend> {
    let mut trends: Vec<&Trend> = machine
        .trends
        .iter()
        .filter(|trend| !trend.levels.is_empty())
        .collect();
    trends.sort_by_key(|trend| trend.shifts.is_empty());
    trends
}

fn changes(machine: &MachineHistory) -> Markup {
    let changed = || {
        machine
            .trends
            .iter()
            .filter(|trend| !trend.shifts.is_empty())
    };
    html! {
        @if changed().next().is_some() {
            div.scroll {
                table.cards.changes {
                    caption { "The changes. Intervals of 95 %; “between” are the commits among which the change certainly is." }
                    thead { tr { th scope="col" { "metric" } @for head in CHANGE_HEADS { th scope="col" { (head) } } } }
                    tbody {
                        @for trend in changed() {
                            @for (place, shift) in trend.shifts.iter().enumerate() {
                                (change_row(&name(trend), shift.change_pct > 0.0, &change(machine, trend, place)))
                            }
                        }
                    }
                }
            }
            @for trend in changed() {
                @for found in &trend.drifts { p { (safe(&drift(machine, trend, found))) } }
            }
        }
    }
}

fn change_row(name: &str, worse: bool, cells: &[String; 4]) -> Markup {
    let class = if worse { "badge bad" } else { "badge good" };
    html! {
        tr {
            th scope="row" { (name) }
            @for (place, (head, cell)) in CHANGE_HEADS.iter().zip(cells).enumerate() {
                td data-head=(head) {
                    @match place {
                        0 => span class=(class) { (cell) },
                        1 => code { (safe(cell)) },
                        _ => span { (safe(cell)) },
                    }
                }
            }
        }
    }
}

fn levels(machine: &MachineHistory) -> Markup {
    html! {
        div.scroll {
            table.cards {
                caption { "The levels of every metric. Noise is the standard deviation of a gate." }
                thead { tr { th scope="col" { "" } @for head in HEADS { th scope="col" { (head) } } } }
                tbody {
                    @for trend in &machine.trends {
                        tr {
                            th scope="row" { (name(trend)) }
                            @for (head, figure) in HEADS.iter().zip(row(trend)) { td data-head=(head) { (figure) } }
                        }
                    }
                }
            }
        }
    }
}

/// Values and levels in percent of the first level.
fn plot(machine: &MachineHistory, trend: &Trend) -> Markup {
    let first = trend.levels.first().map_or(0.0, |level| level.mean);
    let whole = if first == 0.0 { 1.0 } else { first.abs() };
    let over = |value: f64| 100.0 * (value - first) / whole;
    let point = |gate: usize, mean: f64| Point {
        x: gate as f64 + 1.0,
        y: over(mean),
        interval: None,
        mark: Mark::Plain,
        tip: String::new(),
    };
    let values = trend
        .points
        .iter()
        .map(|(gate, value)| point(*gate, *value));
    let levels = trend
        .levels
        .iter()
        .flat_map(|level| [point(level.from, level.mean), point(level.to, level.mean)]);
    let heights = trend.points.iter().map(|(_, value)| over(*value));
    let rules = trend.shifts.iter().enumerate().map(|(place, shift)| {
        let [size, with, ..] = change(machine, trend, place);
        Rule {
            x: shift.gate as f64 + 1.0,
            worse: shift.change_pct > 0.0,
            tip: safe(&format!("{size} with {with}")),
        }
    });
    Lines {
        caption: name(trend),
        desc: described(trend),
        x: PlotAxis::numbers("gate", machine.gates.len()),
        y: PlotAxis::changes("change since the first level", heights),
        series: vec![
            Series {
                name: "gates".into(),
                points: values.collect(),
                signs: false,
            },
            Series {
                name: "levels".into(),
                points: levels.collect(),
                signs: false,
            },
        ],
        rules: rules.collect(),
    }
    .draw()
}

fn described(trend: &Trend) -> String {
    let levels: Vec<String> = trend
        .levels
        .iter()
        .map(|level| value(trend, level.mean))
        .collect();
    format!("{} gates; levels {}", trend.points.len(), levels.join(", "))
}
