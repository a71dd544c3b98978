//! The page of a sweep: the recommendation, every cell, and the plots.

mod bars;
mod heat;
mod lines;

use maud::{Markup, html};

use super::classes::{AxisKind, SweepView};
use super::plot::Mark;
use super::{Page, cells, curves, facts, frame, safe};
use crate::bench::{AxisVerdict, SweepResult};

/// Maximum number of plots of one kind per page; the table has all numbers.
const FIGURES_MAX: usize = 24;

/// The page of a sweep.
pub(crate) fn sweep(page: &Page, result: &SweepResult) -> String {
    let grid = SweepView::of(result);
    let content = html! {
        h1 { (headline(result)) }
        (facts(page, &extent(result)))
        (verdicts(&grid))
        (measured(&grid))
    };
    frame(page, &content)
}

/// The sweep as a part of a page.
pub(super) fn sections(result: &SweepResult) -> Markup {
    let grid = SweepView::of(result);
    html! {
        p.answer { (headline(result)) }
        p.facts { @for fact in extent(result) { span { (fact) } } }
        (verdicts(&grid))
        (measured(&grid))
    }
}

/// The table and the plots.
fn measured(grid: &SweepView) -> Markup {
    html! {
        (cells::table(grid))
        (against(grid))
        (heat::section(grid))
        (latency(grid))
    }
}

fn headline(result: &SweepResult) -> String {
    let headline = safe(&result.recommendation.headline);
    if headline.is_empty() {
        return "No recommendation".to_owned();
    }
    headline
}

/// How much was measured.
fn extent(result: &SweepResult) -> Vec<String> {
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
    more
}

/// What is recommended for each class.
fn verdicts(grid: &SweepView) -> Markup {
    let verdicts = &grid.result.recommendation.verdicts;
    html! {
        @if !verdicts.is_empty() {
            ul.verdicts { @for verdict in verdicts { (one_verdict(verdict, grid)) } }
        }
    }
}

fn one_verdict(verdict: &AxisVerdict, grid: &SweepView) -> Markup {
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

/// Every metric against the axis: lines for numbers, bars for names.
fn against(grid: &SweepView) -> Markup {
    let Some(axis) = grid.axis() else {
        return html! {};
    };
    let groups: Vec<(String, Vec<Markup>)> = match AxisKind::of(axis) {
        AxisKind::Numbers => {
            let plots = grid.plots().into_iter();
            plots
                .map(|(name, classes)| (name, lines::draw(grid, axis, &classes)))
                .collect()
        }
        AxisKind::Names => {
            let classes = grid.classes.iter();
            classes
                .map(|class| (grid.named(&class.key), bars::draw(grid, axis, class)))
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

/// Groups of plots under their names, up to [`FIGURES_MAX`] plots.
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
        @if beyond > 0 { p.aside { (beyond) " more plots are not drawn; the table has their numbers." } }
    }
}

fn latency(grid: &SweepView) -> Markup {
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

/// How the figures of a cell are drawn.
fn mark(grid: &SweepView, place: usize) -> Mark {
    if !grid.result.cells[place].valid || !grid.measured(place).valid {
        Mark::Invalid
    } else if grid.result.cells[place].same_as.is_some() {
        Mark::Same
    } else {
        Mark::Plain
    }
}
