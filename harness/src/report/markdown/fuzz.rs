//! A campaign: the answer, a table of findings, and how to reproduce each. A replay: a table.

use std::fmt::Write as _;

use crate::fuzz::{Finding, case};
use crate::report::fuzz::{Standing, how_sure};
use crate::report::number::bytes;
use crate::report::{FuzzReport, ReplayReport, Report};
use crate::text::markdown::{code, plain};

/// Maximum steps shown of a finding; its case file contains all of them.
const STEPS_SHOWN: usize = 16;
/// Maximum findings shown in full: a step summary is limited to 1 MiB.
const FINDINGS_SHOWN: usize = 50;

pub(super) fn render(text: &mut String, report: &Report, fuzz: &FuzzReport) {
    let _ = writeln!(
        text,
        "**{}** in {:.1} s (seed {}): {}\n",
        fuzz.answer(),
        report.header.duration_s,
        report.header.seed,
        fuzz.campaign().join(", ")
    );
    for note in &fuzz.result.notes {
        let _ = writeln!(text, "- {}", plain(note));
    }
    let findings = &fuzz.result.findings;
    if findings.is_empty() {
        return;
    }
    text.push_str("\n| finding | kind | confirmed | case | symptom |\n|---|---|---|---|---|\n");
    for finding in findings {
        let _ = writeln!(
            text,
            "| {} | {} | {}{} | {} steps, {} | {} |",
            plain(&finding.id),
            finding.symptom.kind.name(),
            plain(&how_sure(finding)),
            standing(finding),
            finding.steps,
            bytes(finding.bytes as f64),
            plain(&finding.symptom.title)
        );
    }
    for finding in findings.iter().take(FINDINGS_SHOWN) {
        finding_section(text, finding);
    }
}

fn standing(finding: &Finding) -> &'static str {
    match Standing::of(finding) {
        Standing::Counts => "",
        Standing::Waived => ", waived",
        Standing::Unconfirmed => ", not reproduced",
        Standing::Unsettled => "",
    }
}

fn finding_section(text: &mut String, finding: &Finding) {
    let _ = writeln!(text, "\n**{}**\n", plain(&finding.id));
    let mut shown = 0;
    for line in finding.cases.iter().flat_map(case::shown).take(STEPS_SHOWN) {
        let _ = writeln!(text, "1. {}", code(&line));
        shown += 1;
    }
    if finding.steps > shown {
        let _ = writeln!(text, "1. … {} more", finding.steps - shown);
    }
    let _ = writeln!(text, "\n- reproduce: {}", code(&finding.reproduce));
    if let Some(folder) = &finding.reproducer
        && !finding.injects()
    {
        let _ = writeln!(
            text,
            "- as a program: {} in {}",
            code("python3 reproduce.py"),
            code(&folder.display().to_string())
        );
    }
    if let Some(reason) = &finding.waived {
        let _ = writeln!(text, "- waived: {}", plain(reason));
    }
}

pub(super) fn replay(text: &mut String, replay: &ReplayReport) {
    let _ = writeln!(text, "**{}**\n", replay.answer());
    if replay.items.is_empty() {
        return;
    }
    text.push_str("| finding | kind | outcome | seen | |\n|---|---|---|---|---|\n");
    for item in &replay.items {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            plain(&item.name()),
            plain(&item.kind),
            item.outcome().name(),
            plain(&item.seen),
            plain(item.details())
        );
    }
}
