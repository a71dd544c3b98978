//! A sweep of the results of system calls on the terminal: the table, then what failed.

use std::fmt::Write as _;

use super::style::{BOLD, RED, RESET};
use super::verdict_line;
use crate::check::run::sweep::{SweepOutcome, SweepRow};
use crate::report::wrap::wrap;
use crate::report::{CallSweepReport, Report};
use crate::text::escape_text;

pub(super) fn render(
    text: &mut String,
    report: &Report,
    sweep: &CallSweepReport,
    columns: Option<usize>,
) {
    let lines = sweep.lines();
    if !lines.is_empty() {
        let _ = writeln!(
            text,
            "{BOLD}call             result and what became of the exchange{RESET}"
        );
    }
    for (call, rows) in lines {
        let cells: Vec<String> = rows.iter().map(|row| cell(row)).collect();
        let line = format!("{call:<16} {}", cells.join(", "));
        let _ = writeln!(text, "{}", wrap(&line, 17, columns));
    }
    if let Some(untried) = sweep.untried().filter(|_| !sweep.result.rows.is_empty()) {
        let _ = writeln!(
            text,
            "{}",
            wrap(&format!("{:<16} {untried}", "not tried"), 17, columns)
        );
    }
    for row in sweep.failures() {
        failure(text, row, columns);
    }
    text.push('\n');
    verdict_line(text, report, &escape_text(&sweep.answer(), 600), columns);
}

fn cell(row: &SweepRow) -> String {
    format!("{} {}", row.case.result.name(), row.outcome.word())
}

fn failure(text: &mut String, row: &SweepRow, columns: Option<usize>) {
    let kind = row.kind.map_or("", |kind| kind.name());
    let _ = writeln!(
        text,
        "\n{RED}{}{RESET} {}: {kind}",
        SweepOutcome::Fail.word(),
        row.case
    );
    if let Some(actual) = &row.actual {
        let _ = writeln!(text, "  {}", wrap(&escape_text(actual, 600), 2, columns));
    }
    for (name, command) in [("reproduce", &row.reproduce), ("by hand", &row.by_hand)] {
        if let Some(command) = command {
            let _ = writeln!(text, "  {name:<10} {}", escape_text(command, 2_000));
        }
    }
}
