//! A history of gates on the terminal: the answer, then the levels and the changes of each metric.

use std::fmt::Write as _;

use super::columns;
use super::style::{BOLD, DIM, GREEN, RED, RESET, YELLOW};
use crate::gate::history::MachineHistory;
use crate::report::HistoryReport;
use crate::report::trends::{HEADS, change, drift, hows, name, row, title};
use crate::report::wrap::wrap;
use crate::text::escape_text;

/// Maximum length of a line of external text, in characters.
const TEXT_SHOWN: usize = 400;

pub(super) fn render(text: &mut String, report: &HistoryReport, columns: Option<usize>) {
    let answer = escape_text(&report.answer(), 1200);
    let _ = writeln!(text, "{BOLD}{}{RESET}", wrap(&answer, 0, columns));
    for machine in &report.history.machines {
        let title = escape_text(&title(machine), TEXT_SHOWN);
        let _ = writeln!(text, "\n{DIM}{}{RESET}", wrap(&title, 0, columns));
        table(text, machine, columns);
        changes(text, machine, columns);
    }
    text.push('\n');
    for how in hows(&report.history) {
        let how = escape_text(&how, TEXT_SHOWN);
        let _ = writeln!(text, "{DIM}{}{RESET}", wrap(&how, 0, columns));
    }
}

fn table(text: &mut String, machine: &MachineHistory, width: Option<usize>) {
    let heads = [""].into_iter().chain(HEADS).map(str::to_owned).collect();
    let rows = machine
        .trends
        .iter()
        .map(|trend| [name(trend)].into_iter().chain(row(trend)).collect());
    let rows: Vec<Vec<String>> = std::iter::once(heads).chain(rows).collect();
    let lines = columns::lines_within(&rows, |column| column == 0, width);
    for (place, line) in lines.into_iter().enumerate() {
        if line.is_empty() {
            continue;
        }
        let (colour, reset) = match place {
            0 => (DIM, RESET),
            _ => ("", ""),
        };
        let _ = writeln!(text, "{colour}{line}{reset}");
    }
}

fn changes(text: &mut String, machine: &MachineHistory, columns: Option<usize>) {
    for trend in machine
        .trends
        .iter()
        .filter(|trend| !trend.shifts.is_empty())
    {
        let _ = writeln!(text, "\n{}", name(trend));
        for (place, shift) in trend.shifts.iter().enumerate() {
            let colour = if shift.change_pct > 0.0 { RED } else { GREEN };
            let [size, with, between, levels] = change(machine, trend, place);
            let (with, between) = (
                escape_text(&with, TEXT_SHOWN),
                escape_text(&between, TEXT_SHOWN),
            );
            let between = match between.as_str() {
                "certain" => String::new(),
                _ => format!(" (between {between})"),
            };
            let told = format!("with {with}{between}: {levels}");
            let indent = 2 + size.chars().count() + 1;
            let told = wrap(&told, indent, columns);
            let _ = writeln!(text, "  {colour}{size}{RESET} {told}");
        }
        for found in &trend.drifts {
            let told = escape_text(&drift(machine, trend, found), TEXT_SHOWN);
            let _ = writeln!(text, "{YELLOW}{}{RESET}", wrap(&told, 0, columns));
        }
    }
}
