//! A campaign: the number of findings, each finding with its case and how to reproduce it, then the totals. A replay: one
//! line per finding.

use std::fmt::Write as _;

use serde_json::Value;

use super::style::{BOLD, DIM, GREEN, MAGENTA, RED, RESET, YELLOW};
use super::verdict_line;
use crate::fuzz::{Finding, case, evidence_lines};
use crate::report::fuzz::{ItemOutcome, Standing, how_sure};
use crate::report::number::bytes;
use crate::report::wrap::{cut, wrap};
use crate::report::{FuzzReport, ReplayReport, Report};
use crate::text::escape_text;

/// Column at which the values of a finding begin.
const INDENT: usize = 14;
/// Maximum steps shown of a finding; its case file contains all of them.
const STEPS_SHOWN: usize = 24;
/// Maximum lines shown of the server's output; the folder of the finding contains more.
const PRINTED_SHOWN: usize = 8;
/// How many of them come from the beginning of the output.
const PRINTED_FIRST: usize = 3;
/// Maximum findings shown in full; the JSON contains all of them.
const FINDINGS_SHOWN: usize = 50;

pub(super) fn render(
    text: &mut String,
    report: &Report,
    fuzz: &FuzzReport,
    columns: Option<usize>,
) {
    findings(text, fuzz, columns);
    let _ = writeln!(
        text,
        "\n{DIM}{}{RESET}",
        wrap(&fuzz.campaign().join(", "), 0, columns)
    );
    for note in &fuzz.result.notes {
        let note = wrap(&escape_text(note, 600), "note: ".len(), columns);
        let _ = writeln!(text, "{YELLOW}note{RESET}: {note}");
    }
    if report.header.interrupted {
        let _ = writeln!(text, "{YELLOW}interrupted{RESET}: the findings so far");
    }
    verdict_line(text, report, &fuzz.answer(), columns);
}

/// The number of findings, and each of them.
pub(super) fn findings(text: &mut String, fuzz: &FuzzReport, columns: Option<usize>) {
    let findings = &fuzz.result.findings;
    let colour = match (fuzz.count(Standing::Counts), findings.len()) {
        (1.., _) => RED,
        (0, 0) => GREEN,
        _ => MAGENTA,
    };
    let _ = writeln!(
        text,
        "{colour}{BOLD}{}{RESET}",
        wrap(&fuzz.answer(), 0, columns)
    );
    for finding in findings.iter().take(FINDINGS_SHOWN) {
        finding_section(text, finding, columns);
    }
    if findings.len() > FINDINGS_SHOWN {
        let _ = writeln!(text, "\n… {} more", findings.len() - FINDINGS_SHOWN);
    }
}

fn finding_section(text: &mut String, finding: &Finding, columns: Option<usize>) {
    let colour = match Standing::of(finding) {
        Standing::Counts => RED,
        Standing::Waived | Standing::Unconfirmed | Standing::Unsettled => MAGENTA,
    };
    let id = escape_text(&finding.id, 100);
    let _ = writeln!(
        text,
        "\n{colour}{BOLD}{}{RESET} {BOLD}{id}{RESET}",
        finding.symptom.kind.name()
    );
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(text, "  {DIM}{name:<11}{RESET} {value}");
    };
    let prose = |value: &str| wrap(&escape_text(value, 1200), INDENT, columns);
    row("seen", &prose(&finding.symptom.title));
    if let Some(reason) = &finding.waived {
        row("waived", &prose(reason));
    }
    row("confirmed", &prose(&confirmed(finding)));
    row("size", &size(finding));
    let lines = steps(finding);
    for (number, line) in lines.iter().take(STEPS_SHOWN).enumerate() {
        row(
            if number == 0 { "case" } else { "" },
            &cut(line, INDENT, columns),
        );
    }
    if lines.len() > STEPS_SHOWN {
        row("", &format!("… {} more", lines.len() - STEPS_SHOWN));
    }
    // Evidence for programs only is not shown.
    let shown = |name: &String| !name.ends_with("_hex");
    for (name, value) in finding
        .symptom
        .evidence
        .iter()
        .filter(|(name, _)| shown(name))
    {
        for (number, line) in evidence(name, value).iter().enumerate() {
            row(if number == 0 { "evidence" } else { "" }, &prose(line));
        }
    }
    if let Some(folder) = &finding.reproducer {
        row("folder", &escape_text(&folder.display().to_string(), 4000));
    }
    row("reproduce", &escape_text(&finding.reproduce, 4000));
}

/// One piece of evidence; of a list of lines, the first and the last ones.
fn evidence(name: &str, value: &Value) -> Vec<String> {
    let Some(printed) = evidence_lines(value) else {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        return vec![format!("{name} = {}", escape_text(&text, 400))];
    };
    let mut lines = vec![format!("{name}:")];
    let hidden = printed.len().saturating_sub(PRINTED_SHOWN);
    for (number, line) in printed.iter().enumerate() {
        let number = number + 1;
        if number <= PRINTED_FIRST || number > PRINTED_FIRST + hidden {
            lines.push(format!("  {}", escape_text(line, 200)));
        } else if number == PRINTED_FIRST + 1 {
            lines.push("  …".into());
        }
    }
    lines
}

fn confirmed(finding: &Finding) -> String {
    let unsure = match Standing::of(finding) {
        Standing::Unconfirmed => ": seen once but not reproduced; stored with all preceding cases",
        Standing::Counts | Standing::Waived | Standing::Unsettled => "",
    };
    format!(
        "{}, first after {:.1} s{unsure}",
        how_sure(finding),
        finding.first_seen_s
    )
}

fn size(finding: &Finding) -> String {
    let plural =
        |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let cases = match finding.cases.len() {
        0 | 1 => String::new(),
        count => format!("{}, ", plural(count, "case")),
    };
    let smaller = if finding.minimal {
        ""
    } else {
        "; a smaller case may exist"
    };
    format!(
        "{cases}{}, {}{smaller}",
        plural(finding.steps, "step"),
        bytes(finding.bytes as f64)
    )
}

/// The steps of all cases, with headings if there are several cases.
fn steps(finding: &Finding) -> Vec<String> {
    let mut lines = Vec::new();
    for (number, case) in finding.cases.iter().enumerate() {
        if finding.cases.len() > 1 {
            lines.push(format!("case {}:", number + 1));
        }
        lines.extend(case::shown(case));
        if lines.len() > STEPS_SHOWN {
            lines.extend(finding.cases[number + 1..].iter().map(|_| String::new()));
            break;
        }
    }
    lines
}

pub(super) fn replay(
    text: &mut String,
    report: &Report,
    replay: &ReplayReport,
    columns: Option<usize>,
) {
    let longest = replay
        .items
        .iter()
        .map(|item| item.name().chars().count().min(48))
        .max();
    let width = longest.unwrap_or(0);
    for item in &replay.items {
        let colour = match item.outcome() {
            ItemOutcome::Reproduced | ItemOutcome::Changed => RED,
            ItemOutcome::Gone | ItemOutcome::Same => GREEN,
            ItemOutcome::Unclear => MAGENTA,
        };
        let name = escape_text(&item.name(), 200);
        let seen = escape_text(&item.seen, 20);
        let indent = 2 + 10 + 1 + width + 1 + 5 + 1;
        let said = wrap(&escape_text(item.details(), 600), indent, columns);
        let line = format!(
            "  {colour}{:<10}{RESET} {name:<width$} {seen:<5} {DIM}{said}{RESET}",
            item.outcome().name()
        );
        let _ = writeln!(text, "{line}");
    }
    if report.header.interrupted {
        let _ = writeln!(
            text,
            "{YELLOW}interrupted{RESET}: the remaining findings were not replayed"
        );
    }
    verdict_line(text, report, &replay.answer(), columns);
}
