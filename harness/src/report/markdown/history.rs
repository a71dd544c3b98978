//! A history of gates as Markdown: the answer, the levels, the changes.

use std::fmt::Write as _;

use crate::report::HistoryReport;
use crate::report::trends::{CHANGE_HEADS, HEADS, change, drift, hows, name, row, title};
use crate::text::markdown::plain;

pub(super) fn render(text: &mut String, report: &HistoryReport) {
    let _ = writeln!(text, "**{}**", plain(&report.answer()));
    for machine in &report.history.machines {
        let _ = writeln!(text, "\n#### {}\n", plain(&title(machine)));
        let _ = writeln!(
            text,
            "| | {} |\n|---|--:|--:|--:|--:|--:|",
            HEADS.join(" | ")
        );
        for trend in &machine.trends {
            let _ = writeln!(
                text,
                "| {} | {} |",
                plain(&name(trend)),
                row(trend).join(" | ")
            );
        }
        let changed = || {
            machine
                .trends
                .iter()
                .filter(|trend| !trend.shifts.is_empty())
        };
        if changed().next().is_some() {
            let _ = writeln!(
                text,
                "\n| metric | {} |\n|---|---|---|---|---|",
                CHANGE_HEADS.join(" | ")
            );
        }
        for trend in changed() {
            for place in 0..trend.shifts.len() {
                let cells = change(machine, trend, place).map(|cell| plain(&cell));
                let _ = writeln!(text, "| {} | {} |", plain(&name(trend)), cells.join(" | "));
            }
        }
        text.push('\n');
        for trend in changed() {
            for found in &trend.drifts {
                let _ = writeln!(text, "- {}", plain(&drift(machine, trend, found)));
            }
        }
    }
    for how in hows(&report.history) {
        let _ = writeln!(text, "- {}", plain(&how));
    }
}
