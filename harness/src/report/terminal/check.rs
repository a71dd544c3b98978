//! The report of a battery: one line per check, then the failures in detail.

use std::fmt::Write as _;

use serde_json::Value;

use super::style::{BOLD, DIM, GREEN, MAGENTA, RED, RESET, YELLOW};
use super::{CheckReport, verdict_line};
use crate::check::{Cause, Outcome, Verdict, grouped};
use crate::report::wrap::wrap;
use crate::report::{ChangeKind, Learned, Report, Since};
use crate::text::escape_text;

/// Lines, findings and summary.
pub(super) fn render(
    text: &mut String,
    report: &Report,
    checked: &CheckReport,
    columns: Option<usize>,
) {
    body(text, checked, columns);
    summary(text, report, checked, &checked.counted(), columns);
}

/// Lines and findings.
pub(super) fn body(text: &mut String, checked: &CheckReport, columns: Option<usize>) {
    if let Some(learned) = &checked.rehearsal {
        rehearsal(text, learned, columns);
    }
    lines(text, checked, columns);
    let details = || {
        let outcomes = checked.outcomes.iter();
        outcomes.filter(|outcome| outcome.needs_details())
    };
    for cause in &checked.causes {
        let members = details().filter(|outcome| outcome.cause == Some(cause.id));
        together(text, cause, members, columns);
    }
    // What makes the run fail is not to be looked for among warnings.
    for is_failure in [true, false] {
        let alone = details().filter(|outcome| outcome.cause.is_none());
        for outcome in alone.filter(|outcome| outcome.fails() == is_failure) {
            finding(text, outcome, columns);
        }
    }
}

/// Failures with one cause: the cause, the first failure in full, and a few lines about each of the others.
fn together<'a>(
    text: &mut String,
    cause: &Cause,
    members: impl Iterator<Item = &'a Outcome>,
    columns: Option<usize>,
) {
    let _ = writeln!(
        text,
        "\n{RED}{BOLD}cause{RESET} {BOLD}{}{RESET}\n  {}",
        cause.id,
        wrap(&cause.sentence(), 2, columns)
    );
    let _ = writeln!(text, "  {}", wrap(&cause.checks.join(", "), 2, columns));
    for (number, outcome) in members.enumerate() {
        if number == 0 {
            finding(text, outcome, columns);
        } else {
            heading(text, outcome);
            row(text, "actual", outcome.actual.as_deref(), columns);
            command(text, "reproduce", &outcome.reproduce);
        }
    }
}

/// Verdict, id and kind.
fn heading(text: &mut String, outcome: &Outcome) {
    let (colour, word) = mark(outcome);
    let kind = outcome
        .kind
        .map_or(String::new(), |kind| format!(" ({})", kind.name()));
    let _ = writeln!(
        text,
        "\n{colour}{BOLD}{word}{RESET} {BOLD}{}{RESET}{kind}",
        outcome.id
    );
}

fn row(text: &mut String, name: &str, value: Option<&str>, columns: Option<usize>) {
    if let Some(value) = value {
        let value = wrap(&escape_text(value, 1200), FINDING_INDENT, columns);
        let _ = writeln!(text, "  {DIM}{name:<11}{RESET} {value}");
    }
}

/// A command is not wrapped, so that it can be copied.
fn command(text: &mut String, name: &str, command: &str) {
    if !command.is_empty() {
        let command = escape_text(command, 4000);
        let _ = writeln!(text, "  {DIM}{name:<11}{RESET} {command}");
    }
}

/// What was learned before anything was judged: limits that the server sets, the order of turns, how it sleeps, and how fast
/// it is.
fn rehearsal(text: &mut String, learned: &Learned, columns: Option<usize>) {
    let phrases = learned.phrases();
    if phrases.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "{BOLD}learned before judging, in {:.1} s{RESET}",
        learned.took_ms as f64 / 1e3
    );
    for phrase in phrases {
        let phrase = escape_text(&phrase, 300);
        let _ = writeln!(text, "  {}", wrap(&phrase, SKIPPED_INDENT, columns));
    }
}

/// One line per check, grouped.
fn lines(text: &mut String, checked: &CheckReport, columns: Option<usize>) {
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
        let detail = escape_text(detail, 200);
        let beside = 2 + MARK_WIDTH + 1 + id_width + 1;
        if columns.is_some_and(|columns| columns < beside + BESIDE_MIN) {
            let detail = wrap(&detail, SKIPPED_INDENT, columns);
            let _ = writeln!(text, "\n{:SKIPPED_INDENT$}{DIM}{detail}{RESET}", "");
            continue;
        }
        let detail = wrap(&detail, beside, columns);
        let gap = id_width - outcome.id.len();
        let _ = writeln!(text, "{:gap$} {DIM}{detail}{RESET}", "");
    }
}

/// Minimum columns beside a check for its reason, which is below it otherwise.
const BESIDE_MIN: usize = 30;
/// Width of the longest verdict, `inconclusive`.
const MARK_WIDTH: usize = 12;
/// Column at which the text of a finding starts.
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

/// Expected and actual behaviour, evidence, how to reproduce, and what to do next.
fn finding(text: &mut String, outcome: &Outcome, columns: Option<usize>) {
    heading(text, outcome);
    let rows = [
        ("requirement", Some(outcome.requirement)),
        ("waived", outcome.waived.as_deref()),
        ("reason", outcome.reason.as_deref()),
        ("expected", outcome.expected.as_deref()),
        ("actual", outcome.actual.as_deref()),
        ("proof", outcome.stimulus_proof.as_deref()),
        ("control", outcome.control.as_deref()),
    ];
    for (name, value) in rows {
        row(text, name, value, columns);
    }
    evidence(text, outcome, columns);
    command(text, "reproduce", &outcome.reproduce);
    command(text, "by hand", &outcome.by_hand);
    row(text, "next:", outcome.next.as_deref(), columns);
}

/// Maximum number of first steps shown per check, and of last ones, of which one failed; the JSON contains more.
const STEPS_FIRST: usize = 4;
const STEPS_LAST: usize = 6;
/// Maximum number of lines shown of other evidence.
const LINES_SHOWN: usize = 8;

fn evidence(text: &mut String, outcome: &Outcome, columns: Option<usize>) {
    for (name, value) in &outcome.evidence {
        match value.as_array() {
            Some(_) if name == "steps" && !outcome.transcript.is_empty() => {
                let steps = outcome.transcript.lines(STEPS_FIRST, STEPS_LAST);
                list(text, name, steps.iter().map(String::as_str), columns);
            }
            Some(lines) => {
                // What the server printed has been cut already.
                let max = match name.as_str() {
                    "stderr" => lines.len(),
                    _ => LINES_SHOWN,
                };
                let mut shown: Vec<String> = lines.iter().take(max).map(in_words).collect();
                if lines.len() > max {
                    shown.push(format!("… {} more", lines.len() - max));
                }
                list(text, name, shown.iter().map(String::as_str), columns);
            }
            None => {
                let _ = writeln!(
                    text,
                    "  {DIM}{:<11}{RESET} {name} = {}",
                    "evidence",
                    wrap(&escape_text(&in_words(value), 400), FINDING_INDENT, columns)
                );
            }
        }
    }
}

fn in_words(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Lines below each other; the first one has the name of all.
fn list<'a>(
    text: &mut String,
    name: &str,
    lines: impl Iterator<Item = &'a str>,
    columns: Option<usize>,
) {
    for (number, line) in lines.enumerate() {
        let name = if number == 0 { name } else { "" };
        let line = wrap(&escape_text(line, 160), FINDING_INDENT, columns);
        let _ = writeln!(text, "  {DIM}{name:<11}{RESET} {line}");
    }
}

/// Blockers and the verdict line.
pub(super) fn summary(
    text: &mut String,
    report: &Report,
    checked: &CheckReport,
    counted: &str,
    columns: Option<usize>,
) {
    skipped(text, checked, columns);
    if let Some(since) = &checked.since {
        changes(text, since, columns);
    }
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
            "{YELLOW}interrupted{RESET}: checks that had not started are not listed"
        );
    }
    let failed = checked.outcomes.iter().filter(|outcome| outcome.fails());
    let failed: Vec<&str> = failed.map(|outcome| outcome.id).collect();
    if !failed.is_empty() && checked.outcomes.len() > 1 {
        let failed = wrap(&failed.join(", "), "failed: ".len(), columns);
        let _ = writeln!(text, "{RED}{BOLD}failed{RESET}: {failed}");
    }
    verdict_line(text, report, counted, columns);
    if checked.counts.ran() == 0 && !report.header.interrupted {
        let _ = writeln!(text, "{}", wrap(NOTHING_RAN, 0, columns));
    }
}

/// What changed since an earlier run.
fn changes(text: &mut String, since: &Since, columns: Option<usize>) {
    let run = escape_text(&since.run_id, 80);
    let line = format!("since run {run}{RESET}: {}", since.answer());
    let _ = writeln!(text, "\n{BOLD}{}", wrap(&line, SKIPPED_INDENT, columns));
    for change in &since.changes {
        let colour = match change.kind {
            ChangeKind::NewFailure => RED,
            ChangeKind::Fixed => GREEN,
            ChangeKind::ChangedReply | ChangeKind::ChangedVerdict => YELLOW,
        };
        let kind = change.kind.name();
        let shown = |part: &str| escape_text(part, 200);
        let line = format!(
            "{}: {} -> {}",
            shown(&change.what),
            shown(&change.then),
            shown(&change.now)
        );
        let indent = SKIPPED_INDENT + CHANGE_WIDTH;
        let line = wrap(&line, indent, columns);
        let _ = writeln!(text, "  {colour}{kind:<CHANGE_WIDTH$}{RESET} {line}");
    }
    if !since.unclear.is_empty() {
        let line = format!(
            "not clear: {}",
            escape_text(&since.unclear.join(", "), 1200)
        );
        let _ = writeln!(text, "  {}", wrap(&line, SKIPPED_INDENT, columns));
    }
    for note in &since.notes {
        let _ = writeln!(text, "  {}", wrap(note, SKIPPED_INDENT, columns));
    }
}

/// Width of the longest kind of change, `changed verdict`.
const CHANGE_WIDTH: usize = 15;

/// The skipped checks, grouped by what would enable them.
fn skipped(text: &mut String, checked: &CheckReport, columns: Option<usize>) {
    let skipped = checked
        .outcomes
        .iter()
        .filter(|outcome| outcome.outcome == Verdict::Skip);
    let groups = grouped(skipped.map(|outcome| (outcome.enable.clone(), outcome.id)));
    if groups.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n{BOLD}{}{RESET}",
        wrap("skipped checks, and what would enable them", 0, columns)
    );
    for (enable, ids) in groups {
        let what = if enable.is_empty() {
            "do not apply to this server".to_owned()
        } else {
            enable.join(" and ")
        };
        let line = format!("{what}: {}", ids.join(", "));
        let _ = writeln!(text, "  {}", wrap(&line, SKIPPED_INDENT, columns));
    }
}

/// Column at which a continued line of skipped checks starts.
const SKIPPED_INDENT: usize = 4;

/// An empty selection must not look like a pass.
const NOTHING_RAN: &str = "no check reached a verdict: --only, --skip and --shard select none, or none of the selected checks applies to this talk";
