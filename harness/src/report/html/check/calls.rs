//! The page of a sweep of the results of system calls: the table, and what failed.

use maud::{Markup, html};

use super::super::{Page, facts, frame, safe};
use super::finding::command;
use crate::check::run::sweep::{SweepOutcome, SweepRow};
use crate::report::CallSweepReport;

/// The page of a sweep of calls.
pub(crate) fn calls(page: &Page, sweep: &CallSweepReport) -> String {
    let lines = sweep.lines();
    let failing: Vec<_> = lines
        .iter()
        .filter(|(_, rows)| rows.iter().any(|row| fails(row)))
        .collect();
    let content = html! {
        h1 { (safe(&sweep.answer())) }
        (facts(page, &[]))
        @if !failing.is_empty() {
            section {
                h2 { "What failed" }
                @for (place, (call, rows)) in failing.iter().enumerate() { (of_call(call, rows, place == 0)) }
            }
        }
        @if !lines.is_empty() {
            section {
                h2 { "Each call and its results" }
                p.aside {
                    "The calls of one exchange in their order. Each result is given once, on a connection of its own; \
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

fn fails(row: &SweepRow) -> bool {
    row.outcome == SweepOutcome::Fail
}

/// The results of one call after which the server falls short: they probably have one cause, the code that follows it.
fn of_call(call: &str, rows: &[&SweepRow], is_open: bool) -> Markup {
    let failing: Vec<&&SweepRow> = rows.iter().filter(|row| fails(row)).collect();
    html! {
        div.cause {
            h3 { code { (safe(call)) } ": " (failing.len()) " of " (rows.len()) " results make the server fall short" }
            p.next {
                b { "next: " } "look at what follows this call. The kernel may return each of these results, and the \
                                server may lose the connection to it, but nothing else."
            }
            @for (place, row) in failing.iter().enumerate() { (failure(row, is_open && place == 0)) }
        }
    }
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
