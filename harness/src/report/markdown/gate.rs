//! A gate as a comment on a pull request: the answer, the table, how it was measured.

use std::fmt::Write as _;

use crate::gate::rule::CellVerdict;
use crate::report::behaviour::HEADS;
use crate::report::functions::functions;
use crate::report::gate::{budget, change, figure, hows, name, shown_only, word};
use crate::report::{Behaviour, ChangeKind, GateReport, Report};
use crate::text::markdown::{code, plain};

/// Lets a bot find its comment again, to update it.
const MARKER: &str = "<!-- tcprove gate -->";

pub(super) fn render(text: &mut String, report: &Report, gate: &GateReport) {
    let _ = writeln!(text, "{MARKER}\n**{}**\n", plain(&gate.answer()));
    if !gate.result.cells.is_empty() {
        text.push_str(
            "| | base | candidate | change | budget | verdict |\n|---|--:|--:|---|--:|---|\n",
        );
    }
    for cell in &gate.result.cells {
        let word = match cell.comparison.verdict {
            CellVerdict::Fail if cell.decides => "**fail**",
            _ => word(cell),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {word} |",
            name(cell),
            figure(cell, cell.base),
            figure(cell, cell.candidate),
            change(cell),
            budget(cell),
        );
    }
    if let Some(behaviour) = &gate.behaviour {
        behaviour_of(text, behaviour);
    }
    for table in functions(&gate.result) {
        let _ = writeln!(text, "\n{}\n", plain(&table.title));
        let _ = writeln!(text, "| {} |\n|---|--:|--:|--:|", table.heads().join(" | "));
        for [function, figures @ ..] in table.rows {
            let _ = writeln!(text, "| {} | {} |", code(&function), figures.join(" | "));
        }
    }
    text.push_str("\n<details><summary>How it was measured</summary>\n\n");
    for how in hows(gate) {
        let _ = writeln!(text, "- {}", plain(&how));
    }
    if let Some(base) = &gate.base {
        let _ = writeln!(text, "- base: {}", code(base));
    }
    let _ = writeln!(text, "- candidate: {}", code(&gate.candidate));
    for reason in shown_only(&gate.result.cells) {
        let _ = writeln!(text, "- {}", plain(&reason));
    }
    for skipped in &gate.result.skipped {
        let reason: Vec<&str> = skipped.reason.lines().map(str::trim).collect();
        let _ = writeln!(text, "- skipped: {}", plain(&reason.join("; ")));
    }
    if let Some(behaviour) = &gate.behaviour {
        for unclear in &behaviour.unclear {
            let _ = writeln!(text, "- not clear: {}", plain(unclear));
        }
        for note in &behaviour.notes {
            let _ = writeln!(text, "- {}", plain(note));
        }
    }
    for note in &gate.result.notes {
        let _ = writeln!(text, "- {}", plain(note));
    }
    let _ = writeln!(
        text,
        "- intervals: pairs of one-sided 95 % bounds; {:.0} s; seed {}; {}",
        report.header.duration_s,
        report.header.seed,
        plain(&report.header.environment.one_line())
    );
    text.push_str("\n</details>\n");
}

/// One table of what differs; nothing if nothing does.
fn behaviour_of(text: &mut String, behaviour: &Behaviour) {
    if behaviour.changes.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n| {} |\n|---|---|---|---|", HEADS.join(" | "));
    for (change, [kind, place, base, candidate]) in behaviour.rows() {
        let kind = match change.kind {
            ChangeKind::NewFailure => format!("**{kind}**"),
            _ => kind,
        };
        let _ = writeln!(
            text,
            "| {kind} | {} | {} | {} |",
            plain(&place),
            plain(&base),
            plain(&candidate)
        );
    }
}
