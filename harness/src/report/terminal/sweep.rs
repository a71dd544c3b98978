//! A sweep on the terminal: the answer, then the table of all cells.

use std::fmt::Write as _;

use super::columns;
use super::style::{BOLD, DIM, MAGENTA, RED, RESET, YELLOW};
use super::verdict_line;
use crate::bench::{Estimate, SweepCell, SweepResult};
use crate::report::number::{bytes, count, digits, micros};
use crate::report::wrap::wrap;
use crate::report::{Report, SweepReport};
use crate::text::escape_text;

/// A function that formats a figure.
type Write = fn(f64) -> String;

/// The columns of figures: heading, metric, format.
pub(in crate::report) const COLUMNS: [(&str, &str, Write); 4] = [
    ("replies/s", "ops_per_s", count),
    ("p50", "p50_us", micros),
    ("p99", "p99_us", micros),
    ("server µs/op", "server_cpu_us_per_op", digits),
];

/// The column that shows the interval after the estimate.
const WITH_INTERVAL: &str = "ops_per_s";

pub(super) fn render(
    text: &mut String,
    report: &Report,
    sweep: &SweepReport,
    columns: Option<usize>,
) {
    let result = &sweep.result;
    let headline = escape_text(&result.recommendation.headline, 600);
    let _ = writeln!(text, "{BOLD}{}{RESET}", wrap(&headline, 0, columns));
    for verdict in &result.recommendation.verdicts {
        let sentence = wrap(&escape_text(&verdict.sentence, 600), 2, columns);
        let _ = writeln!(text, "  {sentence}");
    }
    let _ = writeln!(text);
    if result.cells.iter().any(|cell| cell.valid) {
        table(text, result, columns);
    } else {
        let count = result.cells.len();
        let _ = writeln!(
            text,
            "none of the {count} cells has figures that can be trusted, so there is no table"
        );
    }
    remarks(text, result, columns);
    if report.header.interrupted {
        let _ = writeln!(
            text,
            "{YELLOW}interrupted{RESET}: the figures cover the rounds completed until then"
        );
    }
    let valid = result.cells.iter().filter(|cell| cell.valid).count();
    let summary = format!(
        "{valid} of {} cells valid, {} rounds",
        result.cells.len(),
        result.rounds
    );
    verdict_line(text, report, &summary, columns);
}

fn table(text: &mut String, result: &SweepResult, width: Option<usize>) {
    let mut rows = vec![heads(result)];
    rows.extend(result.cells.iter().map(|cell| row(result, cell)));
    let lines = columns::lines_within(&rows, |_| false, width);
    for (place, line) in lines.into_iter().enumerate() {
        let colour = match place.checked_sub(1).map(|cell| &result.cells[cell]) {
            None => DIM,
            Some(cell) if !cell.valid => RED,
            Some(cell) if cell.same_as.is_some() => DIM,
            Some(_) => "",
        };
        if !line.is_empty() {
            let _ = writeln!(text, "{colour}{line}{RESET}");
        }
    }
}

fn heads(result: &SweepResult) -> Vec<String> {
    let axes = result.axes.iter().map(|axis| escape_text(&axis.name, 40));
    let metrics = COLUMNS.iter().map(|(head, ..)| (*head).to_owned());
    axes.chain(metrics).chain([String::new()]).collect()
}

fn row(result: &SweepResult, cell: &SweepCell) -> Vec<String> {
    let mut row: Vec<String> = cell
        .axes
        .iter()
        .zip(&result.axes)
        .map(|((_, setting), axis)| {
            let requested = shown(&setting.requested, axis.is_bytes);
            match setting
                .effective
                .as_deref()
                .filter(|effective| *effective != setting.requested)
            {
                Some(effective) => format!("{requested} ({})", shown(effective, axis.is_bytes)),
                None => requested,
            }
        })
        .collect();
    for (_, metric, write) in COLUMNS {
        let estimate = cell.metrics.get(metric);
        row.push(estimate.map_or(String::new(), |estimate| figure(estimate, metric, write)));
    }
    row.push(mark(result, cell));
    row
}

fn figure(estimate: &Estimate, metric: &str, write: Write) -> String {
    if metric == WITH_INTERVAL {
        return format!(
            "{} [{}, {}]",
            write(estimate.estimate),
            write(estimate.low),
            write(estimate.high)
        );
    }
    write(estimate.estimate)
}

/// A setting in readable form.
pub(in crate::report) fn shown(setting: &str, is_bytes: bool) -> String {
    match setting.parse::<f64>() {
        Ok(0.0) if is_bytes => "auto".into(),
        Ok(size) if is_bytes => bytes(size),
        _ => escape_text(setting, 40),
    }
}

/// What is special about a cell, in a few words.
fn mark(result: &SweepResult, cell: &SweepCell) -> String {
    if let Some(other) = cell.same_as {
        let settings = result.cells[other].axes.iter().zip(&result.axes);
        let names: Vec<String> = settings
            .map(|((_, setting), axis)| shown(&setting.requested, axis.is_bytes))
            .collect();
        return format!("same as {}", names.join(" x "));
    }
    let marks = cell.notes.iter().map(|note| note.word.to_string());
    let invalid = (!cell.valid).then(|| "invalid".to_owned());
    invalid
        .into_iter()
        .chain(marks)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Each kind of reason and note once, in full.
fn remarks(text: &mut String, result: &SweepResult, columns: Option<usize>) {
    let mut seen: Vec<&str> = Vec::new();
    let _ = writeln!(text);
    for cell in &result.cells {
        let reasons = cell.reasons.iter().map(|reason| (RED, "invalid", reason));
        let notes = cell.notes.iter().map(|note| (YELLOW, "note", note));
        for (colour, label, remark) in reasons.chain(notes) {
            if seen.contains(&remark.word.as_ref()) {
                continue;
            }
            seen.push(&remark.word);
            let remark = wrap(
                &escape_text(&remark.to_string(), 600),
                label.len() + 2,
                columns,
            );
            let _ = writeln!(text, "{colour}{label}{RESET}: {remark}");
        }
    }
    if let Some(why) = result.cells.iter().find_map(|cell| cell.why.as_ref()) {
        let why = wrap(&escape_text(why, 400), 11, columns);
        let _ = writeln!(text, "{MAGENTA}held back{RESET}: {why}");
    }
}
