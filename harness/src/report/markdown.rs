//! Markdown, for a step summary or a pull request.

use std::fmt::Write as _;

use super::{Report, RunVerdict};
use crate::check::{Outcome, Verdict};

/// The answer first, then what stands in its way, then one table.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    let target = report
        .target
        .as_ref()
        .map_or("no target", |target| target.name.as_str());
    let _ = writeln!(
        text,
        "### tcprove {}: {} — {}\n",
        report.command,
        verdict(report),
        plain(target)
    );
    if let Some(error) = &report.error {
        let _ = writeln!(
            text,
            "```text\n{}\n```",
            super::safe_lines(&error.message).replace("```", "'''")
        );
        return text;
    }
    let counts = report.counts;
    let _ = writeln!(
        text,
        "{} passed, {} failed, {} warned, {} inconclusive, {} waived, {} skipped in {:.1} s (seed {})\n",
        counts.pass,
        counts.fail,
        counts.warn,
        counts.inconclusive,
        counts.waived,
        counts.skip,
        report.duration_s,
        report.seed
    );
    for blocker in &report.blockers {
        let _ = writeln!(text, "- **{}**", plain(blocker));
    }
    for outcome in report
        .outcomes
        .iter()
        .filter(|outcome| outcome.is_worth_telling())
    {
        finding(&mut text, outcome);
    }
    table(&mut text, report);
    text
}

fn verdict(report: &Report) -> &'static str {
    match report.verdict {
        RunVerdict::Pass => "pass",
        RunVerdict::Fail => "**fail**",
        RunVerdict::Inconclusive => "inconclusive",
        RunVerdict::Error => "**error**",
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
    let _ = writeln!(text, "  - reproduce: {}", code(&outcome.reproduce));
}

fn table(text: &mut String, report: &Report) {
    let _ = writeln!(
        text,
        "\n<details><summary>All checks</summary>\n\n| check | outcome | |\n|---|---|---|"
    );
    for outcome in &report.outcomes {
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

/// Text of unknown origin: no markup of its own, on one line.
fn plain(text: &str) -> String {
    let text = crate::talk::escape_text(text, 2000);
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '#' | '~' | '!' | '@' => {
                out.push('\\');
                out.push(char);
            }
            _ => out.push(char),
        }
    }
    out
}

/// A code span that holds any text (CommonMark 6.1: more backticks outside than inside).
fn code(text: &str) -> String {
    let text = crate::talk::escape_text(text, 2000);
    let longest = text
        .split(|char| char != '`')
        .map(str::len)
        .max()
        .unwrap_or(0);
    let ticks = "`".repeat(longest + 1);
    format!("{ticks} {text} {ticks}")
}
