//! The page of a sweep of the results of system calls: the table, and what failed.

use maud::{Markup, html};

use super::super::{Page, facts, frame, safe, seconds};
use super::finding::command;
use crate::check::run::sweep::{SweepOutcome, SweepRow};
use crate::report::CallSweepReport;

/// The page of a sweep of calls.
pub(crate) fn calls(page: &Page, sweep: &CallSweepReport) -> String {
    let more = [format!("the cases took {}", seconds(sweep.result.seconds))];
    let lines = sweep.lines();
    let content = html! {
        h1 { (safe(&sweep.answer())) }
        (facts(page, &more))
        @if sweep.failures().next().is_some() {
            section {
                h2 { "What failed" }
                @for (place, row) in sweep.failures().enumerate() { (failure(row, place == 0)) }
            }
        }
        @if !lines.is_empty() {
            section {
                h2 { "Each call and its results" }
                p.aside {
                    "The calls of one exchange in their order. Each result was given once, on a connection of its own; \
                     the words say what became of the exchange."
                }
                dl.calls {
                    @for (call, rows) in &lines {
                        div { dt { code { (safe(call)) } } dd { @for row in rows { (cell(row)) " " } } }
                    }
                }
            }
        }
        @if let Some(untried) = sweep.untried() {
            section { h2 { "Not tried" } p { (safe(&untried)) } }
        }
    };
    frame(page, &content)
}

fn cell(row: &SweepRow) -> Markup {
    let class = match row.outcome {
        SweepOutcome::Served => "good",
        SweepOutcome::Lost | SweepOutcome::Refused | SweepOutcome::NotReached => "plain",
        SweepOutcome::Flaky => "unsure",
        SweepOutcome::Fail => "bad",
    };
    html! {
        span class=(format!("badge {class}")) { (safe(&row.case.result.name())) " " (row.outcome.word()) }
    }
}

fn failure(row: &SweepRow, is_open: bool) -> Markup {
    let kind = row.kind.map_or("", |kind| kind.name());
    html! {
        details.finding.bad open[is_open] {
            summary {
                span.badge.bad { "✕ fail" } " " b { (safe(&row.case.to_string())) } " "
                span.kind { "(" (kind) ")" } " "
                span.seen { (safe(row.actual.as_deref().unwrap_or(""))) }
            }
            div.body {
                @if let Some(actual) = &row.actual {
                    dl.rows { div.happened { dt { "happened" } dd { (safe(actual)) } } }
                }
                (command("See it again", row.reproduce.as_deref().unwrap_or("")))
                (command("See it without tcprove", row.by_hand.as_deref().unwrap_or("")))
            }
        }
    }
}
