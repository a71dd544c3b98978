//! Reports for a terminal. One file per kind of run.

mod calls;
mod check;
mod columns;
mod fuzz;
mod gate;
mod histogram;
mod history;
mod latency;
mod load;
mod style;
mod sweep;

use std::fmt::Write as _;

pub(super) use self::load::described;
use self::style::{BOLD, DIM, GREEN, MAGENTA, RED, RESET};
pub(super) use self::sweep::{COLUMNS as SWEEP_COLUMNS, shown};
use super::wrap::wrap;
use super::{Body, CheckReport, FuzzReport, Report, RunVerdict, Whole, safe_lines};
use crate::text::escape_text;

/// Renders the report with colours, wrapped to `columns` if given. Commands are never wrapped, so
/// that they can be copied.
pub(crate) fn render(report: &Report, columns: Option<usize>) -> String {
    let mut text = String::new();
    if let Some(error) = &report.error {
        let message = safe_lines(&error.message);
        let lines = message.lines().map(|line| error_line(line, columns));
        let message = lines.collect::<Vec<_>>().join("\n");
        let _ = writeln!(text, "{RED}{BOLD}error{RESET}: {message}");
        return text;
    }
    match &report.body {
        Body::Nothing {} => verdict_line(&mut text, report, "nothing was measured", columns),
        Body::Check(checked) => check::render(&mut text, report, checked, columns),
        Body::Calls(sweep) => calls::render(&mut text, report, sweep, columns),
        Body::Run(whole) => run(&mut text, report, whole, columns),
        Body::Sweep(sweep) => sweep::render(&mut text, report, sweep, columns),
        Body::Load(load) => load::render(&mut text, report, load, columns),
        Body::Observed(observed) => verdict_line(&mut text, report, &observed.seen(), columns),
        Body::Fuzz(fuzz) => fuzz::render(&mut text, report, fuzz, columns),
        Body::Replay(replay) => fuzz::replay(&mut text, report, replay, columns),
        Body::Gate(gate) => gate::render(&mut text, report, gate, columns),
        Body::History(history) => history::render(&mut text, history, columns),
    }
    text
}

/// A title, and rows of a name and a text.
pub(crate) fn rows(title: &str, rows: &[(&str, String)], columns: Option<usize>) -> String {
    /// Width of a name.
    const NAME: usize = 11;
    let mut text = format!("{BOLD}{}{RESET}\n", escape_text(title, 200));
    let mut before = "";
    for (name, value) in rows {
        let shown = if *name == before { "" } else { name };
        // A command is not wrapped, so that it can be copied.
        let is_command = value.starts_with("tcprove ");
        let value = match is_command {
            true => value.clone(),
            false => wrap(value, NAME + 3, columns),
        };
        let _ = writeln!(text, "  {DIM}{shown:<NAME$}{RESET} {value}");
        before = name;
    }
    text
}

/// A battery without a header and without colours.
pub(crate) fn battery(checked: &CheckReport) -> String {
    let mut text = String::new();
    check::body(&mut text, checked, None);
    let _ = writeln!(text, "\n{}", checked.counted());
    style::plain(&text)
}

/// The findings of a campaign without colours.
pub(crate) fn campaign(fuzz: &FuzzReport) -> String {
    let mut text = String::new();
    fuzz::findings(&mut text, fuzz, None);
    style::plain(&text)
}

/// Renders each part like a report of its own, then the overall verdict.
fn run(text: &mut String, report: &Report, whole: &Whole, columns: Option<usize>) {
    check::body(text, &whole.checked, columns);
    let mut summary = vec![format!("checks: {}", whole.checked.counted())];
    for part in whole.parts() {
        let _ = writeln!(text, "\n{BOLD}{}{RESET}", part.header.command);
        text.push_str(&render(part, columns));
        if let Body::Fuzz(fuzz) = &part.body {
            summary.push(format!("fuzz: {}", fuzz.answer()));
        }
    }
    text.push('\n');
    check::summary(text, report, &whole.checked, &summary.join("; "), columns);
}

/// A line that a command prints beside its report, wrapped like one of the report.
#[cfg(feature = "cli")]
pub(crate) fn prose(line: &str, indent: usize, columns: Option<usize>) -> String {
    wrap(line, indent, columns)
}

/// Wraps prose; excerpts, lists and commands keep their lines.
fn error_line(line: &str, columns: Option<usize>) -> String {
    let is_prose = line.starts_with(|first: char| first.is_alphabetic() || first == '`');
    if is_prose && !line.starts_with("next: ") {
        wrap(line, "error: ".len(), columns)
    } else {
        line.to_owned()
    }
}

/// The last line: the verdict, the target, and a summary.
fn verdict_line(text: &mut String, report: &Report, summary: &str, columns: Option<usize>) {
    let (colour, word) = match report.verdict {
        RunVerdict::Pass => (GREEN, "PASS"),
        RunVerdict::Fail => (RED, "FAIL"),
        RunVerdict::Inconclusive => (MAGENTA, "INCONCLUSIVE"),
        RunVerdict::Error => (RED, "ERROR"),
    };
    let target = report.header.target.as_ref();
    let target = target.map_or("", |target| target.name.as_str());
    let line = format!(
        "{}: {summary} in {:.1} s (seed {})",
        escape_text(target, 80),
        report.header.duration_s,
        report.header.seed
    );
    let _ = writeln!(
        text,
        "{colour}{BOLD}{word}{RESET} {}",
        wrap(&line, word.len() + 1, columns)
    );
}
