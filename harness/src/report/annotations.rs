//! GitHub annotations: one for each failure or inconclusive result.
//!
//! Workflow commands, <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>.

use std::fmt::Write as _;

use super::{Body, Report, RunVerdict};
use crate::text::escape_text;

/// Maximum number of annotations; GitHub shows ten per step.
const LINES_MAX: usize = 9;

/// Renders workflow commands to print in a step; empty for a pass.
pub(crate) fn render(report: &Report) -> String {
    let level = match report.verdict {
        RunVerdict::Pass => return String::new(),
        RunVerdict::Inconclusive => "warning",
        RunVerdict::Fail | RunVerdict::Error => "error",
    };
    let mut text = String::new();
    for message in messages(report) {
        let _ = writeln!(
            text,
            "::{level} title=tcprove {}::{}",
            report.header.command,
            escaped(&message)
        );
    }
    text
}

fn messages(report: &Report) -> Vec<String> {
    if let Some(error) = &report.error {
        return vec![error.message.clone()];
    }
    match &report.body {
        Body::Gate(gate) => vec![gate.answer()],
        Body::Fuzz(fuzz) => vec![fuzz.answer()],
        Body::Check(checked) => failed(checked),
        Body::Calls(sweep) => {
            let said = |row: &crate::check::run::sweep::SweepRow| {
                format!(
                    "{}: {}",
                    row.case,
                    row.actual.as_deref().unwrap_or_default()
                )
            };
            sweep.failures().map(said).collect()
        }
        Body::Run(whole) => {
            let parts = whole.parts().flat_map(messages);
            failed(&whole.checked).into_iter().chain(parts).collect()
        }
        Body::Nothing {}
        | Body::Load(_)
        | Body::Observed(_)
        | Body::Sweep(_)
        | Body::Replay(_)
        | Body::History(_) => Vec::new(),
    }
}

fn failed(checked: &super::CheckReport) -> Vec<String> {
    let outcomes = checked.outcomes.iter().filter(|outcome| outcome.fails());
    let lines = outcomes.map(|outcome| {
        format!(
            "{}: {}; {}",
            outcome.id,
            outcome.actual.as_deref().unwrap_or_default(),
            outcome.reproduce
        )
    });
    lines
        .chain(checked.blockers.iter().cloned())
        .take(LINES_MAX)
        .collect()
}

/// Escapes a message so that it stays on one line and contains no other command.
fn escaped(message: &str) -> String {
    escape_text(message, 2000)
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::RunError;
    use crate::report::sample::header;

    #[test]
    fn a_message_stays_on_its_line_and_begins_no_other_command() {
        let error = RunError::target("50 % lost\n::set-output name=x::y");
        let mut report = Report::new(header("gate"), Err(error));
        let text = render(&report);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.starts_with("::error title=tcprove gate::50 %25 lost"),
            "{text}"
        );
        report.verdict = RunVerdict::Pass;
        assert_eq!(render(&report), "");
    }
}
