//! A gate on the terminal: the answer, then the table.

use std::fmt::Write as _;

use super::columns;
use super::style::{BOLD, DIM, GREEN, MAGENTA, RED, RESET, YELLOW};
use super::verdict_line;
use crate::gate::GateCell;
use crate::gate::rule::CellVerdict;
use crate::report::functions::functions;
use crate::report::gate::{budget, change, figure, hows, shown_only, word};
use crate::report::wrap::wrap;
use crate::report::{Behaviour, ChangeKind, GateReport, Report, safe_lines};
use crate::text::escape_text;

/// Characters of the name of a function that are shown.
const FUNCTION_SHOWN: usize = 120;
/// Column headings.
const HEADS: [&str; 6] = ["", "base", "candidate", "change", "budget", "verdict"];

pub(super) fn render(
    text: &mut String,
    report: &Report,
    gate: &GateReport,
    columns: Option<usize>,
) {
    let answer = escape_text(&gate.answer(), 1200);
    let _ = writeln!(text, "{BOLD}{}{RESET}\n", wrap(&answer, 0, columns));
    if let Some(behaviour) = &gate.behaviour {
        behaviour_of(text, behaviour, columns);
    }
    table(text, &gate.result.cells, columns);
    for found in functions(&gate.result) {
        let _ = writeln!(text, "{DIM}{}{RESET}", wrap(&found.title, 0, columns));
        for [function, base, candidate, share] in &found.rows {
            let function = escape_text(function, FUNCTION_SHOWN);
            let _ = writeln!(text, "{share:>6}  {function}  {base} -> {candidate}");
        }
        let _ = writeln!(text);
    }
    let mut remark = |colour: &str, lines: &str| {
        for line in safe_lines(lines).lines() {
            let _ = writeln!(text, "{colour}{}{RESET}", wrap(line, 0, columns));
        }
    };
    for how in hows(gate) {
        remark(DIM, &how);
    }
    for reason in shown_only(&gate.result.cells) {
        remark(YELLOW, &reason);
    }
    for skipped in &gate.result.skipped {
        remark(YELLOW, &format!("skipped: {}", skipped.reason));
    }
    for note in &gate.result.notes {
        remark(YELLOW, &format!("note: {note}"));
    }
    if let Some(behaviour) = &gate.behaviour {
        for unclear in &behaviour.unclear {
            remark(MAGENTA, &format!("not clear: {unclear}"));
        }
        for note in &behaviour.notes {
            remark(YELLOW, &format!("note: {note}"));
        }
    }
    if report.header.interrupted {
        remark(
            YELLOW,
            "interrupted: the figures cover what was measured until then",
        );
    }
    let deciding = gate.result.cells.iter().filter(|cell| cell.decides).count();
    let summary = format!("{deciding} metrics decide");
    verdict_line(text, report, &summary, columns);
}

/// What differs, both sides below each other: replies are long.
fn behaviour_of(text: &mut String, behaviour: &Behaviour, columns: Option<usize>) {
    for (change, [kind, place, base, candidate]) in behaviour.rows() {
        let colour = match change.kind {
            ChangeKind::NewFailure => RED,
            ChangeKind::Fixed => GREEN,
            ChangeKind::ChangedReply | ChangeKind::ChangedVerdict => YELLOW,
        };
        let place = wrap(&place, kind.chars().count() + 2, columns);
        let _ = writeln!(text, "{colour}{kind}{RESET}  {place}");
        for (side, told) in [("base", base), ("candidate", candidate)] {
            let _ = writeln!(text, "  {side:<9}  {}", wrap(&told, 13, columns));
        }
        if let Some(command) = change
            .reproduce
            .as_ref()
            .filter(|_| change.kind == ChangeKind::NewFailure)
        {
            let _ = writeln!(text, "  {DIM}{}{RESET}", escape_text(command, 400));
        }
    }
    if !behaviour.changes.is_empty() {
        text.push('\n');
    }
}

fn table(text: &mut String, cells: &[GateCell], width: Option<usize>) {
    if cells.is_empty() {
        return;
    }
    let rows: Vec<[String; 6]> = std::iter::once(HEADS.map(String::from))
        .chain(cells.iter().map(row))
        .collect();
    let is_left = |column| !(1..=2).contains(&column);
    let mut lines = columns::lines_within(&rows, is_left, width).into_iter();
    let heads = lines.next().unwrap_or_default();
    if !heads.is_empty() {
        let _ = writeln!(text, "{DIM}{heads}{RESET}");
    }
    let mut metric = None;
    for (cell, line) in cells.iter().zip(lines) {
        // Loads are listed below their metric.
        if cell.at.is_some() && metric != Some(cell.metric) {
            let _ = writeln!(text, "{}", cell.metric.about());
        }
        metric = Some(cell.metric);
        let colour = match (cell.comparison.verdict, cell.decides) {
            (CellVerdict::Pass, _) => GREEN,
            (CellVerdict::Fail, true) => RED,
            (CellVerdict::Inconclusive, true) => MAGENTA,
            (_, false) => DIM,
        };
        let _ = writeln!(text, "{colour}{line}{RESET}");
    }
    let _ = writeln!(text);
}

fn row(cell: &GateCell) -> [String; 6] {
    [
        match &cell.at {
            Some(at) => format!("  {at}"),
            None => cell.metric.about().to_owned(),
        },
        figure(cell, cell.base),
        figure(cell, cell.candidate),
        change(cell),
        budget(cell),
        word(cell).to_owned(),
    ]
}
