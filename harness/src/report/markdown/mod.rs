//! Reports in Markdown, for a step summary or a pull request. One file per kind of run.

mod calls;
mod check;
mod fuzz;
mod gate;
mod history;
mod load;
mod sweep;

use std::fmt::Write as _;

use super::{Body, CheckReport, Report, RunVerdict};
use crate::text::markdown::plain;

/// Renders the verdict first, then its basis.
pub(crate) fn render(report: &Report) -> String {
    let mut text = String::new();
    let target = report
        .header
        .target
        .as_ref()
        .map_or("no target", |target| target.name.as_str());
    let _ = writeln!(
        text,
        "### tcprove {}: {} — {}\n",
        report.header.command,
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
    match &report.body {
        Body::Nothing {} => text.push_str("Nothing was measured.\n"),
        Body::Check(checked) => check::render(&mut text, report, checked),
        Body::Calls(sweep) => calls::render(&mut text, report, sweep),
        Body::Run(whole) => {
            check::render(&mut text, report, &whole.checked);
            for part in whole.parts() {
                text.push('\n');
                text.push_str(&render(part));
            }
        }
        Body::Sweep(sweep) => sweep::render(&mut text, report, sweep),
        Body::Load(load) => load::render(&mut text, report, load),
        Body::Observed(observed) => {
            let _ = writeln!(text, "Observed: {}.", observed.seen());
        }
        Body::Fuzz(fuzz) => fuzz::render(&mut text, report, fuzz),
        Body::Replay(replay) => fuzz::replay(&mut text, replay),
        Body::Gate(gate) => gate::render(&mut text, report, gate),
        Body::History(history) => history::render(&mut text, history),
    }
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
