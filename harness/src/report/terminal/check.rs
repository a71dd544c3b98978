//! A battery: a line a check, then what failed in full.

use std::fmt::Write as _;

use super::style::{BOLD, DIM, GREEN, MAGENTA, RED, RESET, YELLOW};
use super::{Checked, verdict_line};
use crate::check::{Outcome, Verdict};
use crate::report::Report;
use crate::report::wrap::{cut, wrap};
use crate::text::escape_text;

/// The lines, the findings, the summary.
pub(super) fn render(
    text: &mut String,
    report: &Report,
    checked: &Checked,
    columns: Option<usize>,
) {
    body(text, checked, columns);
    summary(text, report, checked, &counted(checked), columns);
}

/// The lines and the findings.
pub(super) fn body(text: &mut String, checked: &Checked, columns: Option<usize>) {
    lines(text, checked, columns);
    let telling = checked.outcomes.iter();
    for outcome in telling.filter(|outcome| outcome.is_worth_telling()) {
        finding(text, outcome, columns);
    }
}

/// One line a check, under its group.
fn lines(text: &mut String, checked: &Checked, columns: Option<usize>) {
    let longest = checked
        .outcomes
        .iter()
        .map(|outcome| outcome.id.len())
        .max();
    let id_width = longest.unwrap_or(0).max(18);
    let mut group = "";
    for outcome in &checked.outcomes {
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
                // What the server printed has been cut already.
                let max = if name == "stderr" {
                    steps.len()
                } else {
                    STEPS_SHOWN
                };
                for (number, step) in steps.iter().take(max).enumerate() {
                    let name = if number == 0 { name.as_str() } else { "" };
                    let step = step
                        .as_str()
                        .map_or_else(|| step.to_string(), str::to_owned);
                    let step = cut(&escape_text(&step, 160), FINDING_INDENT, columns);
                    let _ = writeln!(text, "  {DIM}{name:<11}{RESET} {step}");
                }
                if steps.len() > max {
                    let _ = writeln!(
                        text,
                        "  {DIM}{:<11} … {} more{RESET}",
                        "",
                        steps.len() - max
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

/// What stands in the way, and the last line.
pub(super) fn summary(
    text: &mut String,
    report: &Report,
    checked: &Checked,
    told: &str,
    columns: Option<usize>,
) {
    let _ = writeln!(text);
    for blocker in &checked.blockers {
        let _ = writeln!(
            text,
            "{RED}{BOLD}blocked{RESET}: {}",
            wrap(&escape_text(blocker, 400), "blocked: ".len(), columns)
        );
    }
    if report.header.interrupted {
        let _ = writeln!(
            text,
            "{YELLOW}interrupted{RESET}: checks that had not begun are not listed"
        );
    }
    verdict_line(text, report, told, columns);
    if checked.counts.ran() == 0 && !report.header.interrupted {
        let _ = writeln!(text, "{}", wrap(NOTHING_RAN, 0, columns));
    }
}

/// How many checks came to which verdict.
pub(super) fn counted(checked: &Checked) -> String {
    let counts = checked.counts;
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
    match parts.is_empty() {
        true => "nothing ran".into(),
        false => parts.join(", "),
    }
}

/// An empty selection must not look like a pass, nor like a riddle.
const NOTHING_RAN: &str = "no check came to a verdict: --only, --skip and --shard leave none, or all that were left do not apply to this talk";
