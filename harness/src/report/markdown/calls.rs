//! A sweep of the results of system calls in Markdown: the answer, what failed, and the table.

use std::fmt::Write as _;

use crate::report::{CallSweepReport, Report};
use crate::text::markdown::{code, plain};

pub(super) fn render(text: &mut String, report: &Report, sweep: &CallSweepReport) {
    let _ = writeln!(
        text,
        "{} in {:.1} s (seed {})\n",
        plain(&sweep.answer()),
        report.header.duration_s,
        report.header.seed
    );
    for row in sweep.failures() {
        let _ = writeln!(
            text,
            "- **{}**: {}",
            row.case,
            plain(row.actual.as_deref().unwrap_or_default())
        );
        for command in row.reproduce.iter().chain(&row.by_hand) {
            let _ = writeln!(text, "  {}", code(command));
        }
    }
    let lines = sweep.lines();
    if lines.is_empty() {
        return;
    }
    if let Some(untried) = sweep.untried() {
        let _ = writeln!(text, "\nNot tried: {}.", plain(&untried));
    }
    text.push_str("\n| call | result and what became of the exchange |\n|---|---|\n");
    for (call, rows) in lines {
        let cells = rows
            .iter()
            .map(|row| format!("{} {}", row.case.result.name(), row.outcome.word()));
        let _ = writeln!(
            text,
            "| {call} | {} |",
            cells.collect::<Vec<_>>().join(", ")
        );
    }
}
