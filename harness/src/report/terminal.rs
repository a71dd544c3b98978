//! What a person reads: the answer first, then a line a check, then what failed in full.

use std::fmt::Write as _;

use super::wrap::{cut, wrap};
use super::{Report, RunVerdict, safe_lines};
use crate::check::{Outcome, Verdict};
use crate::talk::escape_text;

/// SGR sequences. The writer strips them where colours are not wanted.
mod style {
    pub(super) const RESET: &str = "\x1b[0m";
    pub(super) const BOLD: &str = "\x1b[1m";
    pub(super) const DIM: &str = "\x1b[2m";
    pub(super) const RED: &str = "\x1b[31m";
    pub(super) const GREEN: &str = "\x1b[32m";
    pub(super) const YELLOW: &str = "\x1b[33m";
    pub(super) const MAGENTA: &str = "\x1b[35m";
}
use style::{BOLD, DIM, GREEN, MAGENTA, RED, RESET, YELLOW};

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
    lines(&mut text, report, columns);
    for outcome in report
        .outcomes
        .iter()
        .filter(|outcome| outcome.is_worth_telling())
    {
        finding(&mut text, outcome, columns);
    }
    summary(&mut text, report, columns);
    text
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

/// One line a check, under its group.
fn lines(text: &mut String, report: &Report, columns: Option<usize>) {
    let longest = report.outcomes.iter().map(|outcome| outcome.id.len()).max();
    let id_width = longest.unwrap_or(0).max(18);
    let mut group = "";
    for outcome in &report.outcomes {
        if outcome.group != group {
            group = outcome.group;
            let _ = writeln!(text, "{BOLD}{group}{RESET}");
        }
        let (colour, mark) = mark(outcome);
        let _ = write!(text, "  {colour}{mark:<MARK_WIDTH$}{RESET} {}", outcome.id);
        let detail = match (&outcome.waived, &outcome.reason, &outcome.actual) {
            (Some(waiver), ..) => waiver,
            (_, _, Some(actual)) if outcome.is_about_the_server() => actual,
            (_, Some(reason), _) => reason,
            _ => "",
        };
        if detail.is_empty() {
            text.push('\n');
            continue;
        }
        let indent = 2 + MARK_WIDTH + 1 + id_width + 1;
        let detail = escape_text(detail, 200);
        // What is told in full below is cut here.
        let detail = if outcome.is_worth_telling() {
            cut(&detail, indent, columns)
        } else {
            wrap(&detail, indent, columns)
        };
        let gap = id_width - outcome.id.len();
        let _ = writeln!(text, "{:gap$} {DIM}{detail}{RESET}", "");
    }
}

/// Of `inconclusive`, the longest word.
const MARK_WIDTH: usize = 12;
/// Where the second column of a finding begins.
const FINDING_INDENT: usize = 14;

fn mark(outcome: &Outcome) -> (&'static str, &'static str) {
    let colour = match outcome.outcome {
        _ if outcome.waived.is_some() => MAGENTA,
        Verdict::Pass => GREEN,
        Verdict::Fail => RED,
        Verdict::Warn => YELLOW,
        Verdict::Skip => DIM,
        Verdict::Inconclusive => MAGENTA,
    };
    (colour, outcome.word())
}

/// Expected, actual, evidence, how to reproduce.
fn finding(text: &mut String, outcome: &Outcome, columns: Option<usize>) {
    let (colour, word) = mark(outcome);
    let kind = outcome
        .kind
        .map_or(String::new(), |kind| format!(" ({})", kind.name()));
    let _ = writeln!(
        text,
        "\n{colour}{BOLD}{word}{RESET} {BOLD}{}{RESET}{kind}",
        outcome.id
    );
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(
            text,
            "  {DIM}{name:<11}{RESET} {}",
            wrap(&escape_text(value, 1200), FINDING_INDENT, columns)
        );
    };
    row("requirement", outcome.requirement);
    if let Some(waiver) = &outcome.waived {
        row("waived", waiver);
    }
    if let Some(reason) = &outcome.reason {
        row("reason", reason);
    }
    if let Some(expected) = &outcome.expected {
        row("expected", expected);
    }
    if let Some(actual) = &outcome.actual {
        row("actual", actual);
    }
    if let Some(proof) = &outcome.stimulus_proof {
        row("proof", proof);
    }
    if let Some(control) = &outcome.control {
        row("control", control);
    }
    evidence(text, outcome, columns);
    let _ = writeln!(
        text,
        "  {DIM}{:<11}{RESET} {}",
        "reproduce",
        escape_text(&outcome.reproduce, 4000)
    );
    let _ = writeln!(
        text,
        "  {DIM}{:<11}{RESET} {}",
        "by hand",
        escape_text(&outcome.by_hand, 4000)
    );
}

/// Steps shown of a check; the JSON has more.
const STEPS_SHOWN: usize = 8;

fn evidence(text: &mut String, outcome: &Outcome, columns: Option<usize>) {
    for (name, value) in &outcome.evidence {
        match value.as_array() {
            Some(steps) => {
                for (number, step) in steps.iter().take(STEPS_SHOWN).enumerate() {
                    let name = if number == 0 { name.as_str() } else { "" };
                    let step = step
                        .as_str()
                        .map_or_else(|| step.to_string(), str::to_owned);
                    let step = cut(&escape_text(&step, 160), FINDING_INDENT, columns);
                    let _ = writeln!(text, "  {DIM}{name:<11}{RESET} {step}");
                }
                if steps.len() > STEPS_SHOWN {
                    let _ = writeln!(
                        text,
                        "  {DIM}{:<11} … {} more{RESET}",
                        "",
                        steps.len() - STEPS_SHOWN
                    );
                }
            }
            None => {
                let shown = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                let _ = writeln!(
                    text,
                    "  {DIM}{:<11}{RESET} {name} = {}",
                    "evidence",
                    wrap(&escape_text(&shown, 400), FINDING_INDENT, columns)
                );
            }
        }
    }
}

fn summary(text: &mut String, report: &Report, columns: Option<usize>) {
    let (colour, word) = match report.verdict {
        RunVerdict::Pass => (GREEN, "PASS"),
        RunVerdict::Fail => (RED, "FAIL"),
        RunVerdict::Inconclusive => (MAGENTA, "INCONCLUSIVE"),
        RunVerdict::Error => (RED, "ERROR"),
    };
    let target = report
        .target
        .as_ref()
        .map_or("", |target| target.name.as_str());
    let counts = report.counts;
    let parts = [
        (counts.pass, "passed"),
        (counts.fail, "failed"),
        (counts.warn, "warned"),
        (counts.inconclusive, "inconclusive"),
        (counts.waived, "waived"),
        (counts.skip, "skipped"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let _ = writeln!(text);
    for blocker in &report.blockers {
        let _ = writeln!(
            text,
            "{RED}{BOLD}blocked{RESET}: {}",
            wrap(&escape_text(blocker, 400), "blocked: ".len(), columns)
        );
    }
    if report.interrupted {
        let _ = writeln!(
            text,
            "{YELLOW}interrupted{RESET}: checks that had not begun are not listed"
        );
    }
    let told = format!(
        "{}: {} in {:.1} s (seed {})",
        escape_text(target, 80),
        if parts.is_empty() {
            "nothing ran".into()
        } else {
            parts.join(", ")
        },
        report.duration_s,
        report.seed
    );
    let _ = writeln!(
        text,
        "{colour}{BOLD}{word}{RESET} {}",
        wrap(&told, word.len() + 1, columns)
    );
    if report.counts.ran() == 0 && !report.interrupted {
        let _ = writeln!(text, "{}", wrap(NOTHING_RAN, 0, columns));
    }
}

/// An empty selection must not look like a pass, nor like a riddle.
const NOTHING_RAN: &str = "no check came to a verdict: --only, --skip and --shard leave none, or all that were left do not apply to this talk";
