//! What a person reads on a terminal. One file for each kind of run.

mod check;
mod fuzz;
mod gate;
mod load;
mod style;
mod sweep;

pub(super) use self::load::described;
pub(super) use self::sweep::{COLUMNS as SWEEP_COLUMNS, shown};

use std::fmt::Write as _;

use self::style::{BOLD, GREEN, MAGENTA, RED, RESET};
use super::wrap::wrap;
use super::{Body, Checked, Report, RunVerdict, Whole, safe_lines};
use crate::text::escape_text;

/// The whole report with colours, broken into `columns` where a terminal has them. Commands are
/// never broken: they are there to be copied.
pub fn render(report: &Report, columns: Option<usize>) -> String {
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
        Body::Run(whole) => run(&mut text, report, whole, columns),
        Body::Sweep(sweep) => sweep::render(&mut text, report, sweep, columns),
        Body::Load(load) => load::render(&mut text, report, load, columns),
        Body::Fuzz(fuzz) => fuzz::render(&mut text, report, fuzz, columns),
        Body::Replay(replay) => fuzz::replay(&mut text, report, replay, columns),
        Body::Gate(gate) => gate::render(&mut text, report, gate, columns),
    }
    text
}

/// Each part as if it had been run alone, then the verdict of all.
fn run(text: &mut String, report: &Report, whole: &Whole, columns: Option<usize>) {
    check::body(text, &whole.checked, columns);
    let mut told = vec![format!("checks: {}", check::counted(&whole.checked))];
    for part in whole.parts() {
        let _ = writeln!(text, "\n{BOLD}{}{RESET}", part.header.command);
        text.push_str(&render(part, columns));
        if let Body::Fuzz(fuzz) = &part.body {
            told.push(format!("fuzz: {}", fuzz.answer()));
        }
    }
    text.push('\n');
    check::summary(text, report, &whole.checked, &told.join("; "), columns);
}

/// Sentences are wrapped; excerpts, lists and commands keep their lines.
fn error_line(line: &str, columns: Option<usize>) -> String {
    let is_prose = line.starts_with(|first: char| first.is_alphabetic() || first == '`');
    if is_prose && !line.starts_with("next: ") {
        wrap(line, "error: ".len(), columns)
    } else {
        line.to_owned()
    }
}

/// The last line: the verdict, the target, what was told.
fn verdict_line(text: &mut String, report: &Report, told: &str, columns: Option<usize>) {
    let (colour, word) = match report.verdict {
        RunVerdict::Pass => (GREEN, "PASS"),
        RunVerdict::Fail => (RED, "FAIL"),
        RunVerdict::Inconclusive => (MAGENTA, "INCONCLUSIVE"),
        RunVerdict::Error => (RED, "ERROR"),
    };
    let target = report.header.target.as_ref();
    let target = target.map_or("", |target| target.name.as_str());
    let told = format!(
        "{}: {told} in {:.1} s (seed {})",
        escape_text(target, 80),
        report.header.duration_s,
        report.header.seed
    );
    let _ = writeln!(
        text,
        "{colour}{BOLD}{word}{RESET} {}",
        wrap(&told, word.len() + 1, columns)
    );
}
