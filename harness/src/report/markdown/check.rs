//! The report of a battery: counts, blockers, findings, and one table.

use std::fmt::Write as _;

use super::CheckReport;
use crate::check::{Outcome, Verdict};
use crate::report::{Report, Since};
use crate::text::markdown::{code, plain};

pub(super) fn render(text: &mut String, report: &Report, checked: &CheckReport) {
    let counts = checked.counts;
    let _ = writeln!(
        text,
        "{} passed, {} failed, {} warned, {} inconclusive, {} waived, {} skipped in {:.1} s (seed {})\n",
        counts.pass,
        counts.fail,
        counts.warn,
        counts.inconclusive,
        counts.waived,
        counts.skip,
        report.header.duration_s,
        report.header.seed
    );
    for blocker in &checked.blockers {
        let _ = writeln!(text, "- **{}**", plain(blocker));
    }
    if let Some(since) = &checked.since {
        changes(text, since);
    }
    for cause in &checked.causes {
        let _ = writeln!(
            text,
            "- **{}**: {} ({})",
            cause.id,
            plain(&cause.sentence()),
            cause.checks.join(", ")
        );
    }
    let outcomes = checked.outcomes.iter();
    for outcome in outcomes.filter(|outcome| outcome.needs_details()) {
        finding(text, outcome);
    }
    table(text, checked);
}

/// What changed since an earlier run.
fn changes(text: &mut String, since: &Since) {
    let run = code(&since.run_id);
    let _ = writeln!(text, "- **since run {run}**: {}", since.answer());
    for change in &since.changes {
        let _ = writeln!(
            text,
            "  - {} **{}**: {} → {}",
            change.kind.name(),
            plain(&change.what),
            plain(&change.then),
            plain(&change.now)
        );
    }
}

fn finding(text: &mut String, outcome: &Outcome) {
    let word = outcome.word();
    let _ = writeln!(
        text,
        "- **{}** {word}: {}",
        outcome.id,
        plain(outcome.actual.as_deref().unwrap_or(""))
    );
    if let Some(reason) = &outcome.reason {
        let _ = writeln!(text, "  - {}", plain(reason));
    }
    if let Some(expected) = &outcome.expected {
        let _ = writeln!(text, "  - expected: {}", plain(expected));
    }
    let _ = writeln!(text, "  - requirement: {}", plain(outcome.requirement));
    if let Some(cause) = outcome.cause {
        let _ = writeln!(text, "  - probable cause: {cause}");
    }
    let _ = writeln!(text, "  - reproduce: {}", code(&outcome.reproduce));
    if let Some(next) = &outcome.next {
        let _ = writeln!(text, "  - next: {}", plain(next));
    }
}

fn table(text: &mut String, checked: &CheckReport) {
    let _ = writeln!(
        text,
        "\n<details><summary>All checks</summary>\n\n| check | outcome | |\n|---|---|---|"
    );
    for outcome in &checked.outcomes {
        let why = match outcome.outcome {
            Verdict::Pass => "",
            _ => outcome
                .reason
                .as_deref()
                .or(outcome.actual.as_deref())
                .unwrap_or(""),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            outcome.id,
            outcome.word(),
            plain(why)
        );
    }
    let _ = writeln!(text, "\n</details>");
}
