//! SARIF 2.1.0, as code scanning reads it: a rule for each check or kind of finding, a result for each failure and warning.
//!
//! OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0. A server is no source file, so every result is at the
//! first line of [`FILE`], the description of the server; a gate also names the function.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fuzz::{ItemOutcome, Standing, how_sure};
use super::gate::change;
use super::junit::lines as clean;
use super::{Body, ChangeKind, CheckReport, FuzzReport, GateReport, ReplayReport, Report};
use crate::check::{Outcome, Verdict};
use crate::gate::rule::CellVerdict;

/// Where results are shown.
const FILE: &str = "tcprove.toml";

/// One result.
#[derive(Default)]
struct Entry {
    /// The check, or the kind of finding.
    rule: String,
    /// What the rule asks for.
    about: String,
    level: Level,
    text: String,
    /// What stays the same when the same thing is found again.
    fingerprint: String,
    /// The function in which it is.
    function: Option<String>,
    /// Why it is waived.
    waived: Option<String>,
}

#[derive(Clone, Copy, Default)]
enum Level {
    #[default]
    Error,
    Warning,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Renders a log of one run.
pub(crate) fn render(report: &Report) -> String {
    let mut entries = Vec::new();
    collect(report, &mut entries);
    let rules: BTreeMap<&str, &str> = entries
        .iter()
        .map(|entry| (entry.rule.as_str(), entry.about.as_str()))
        .collect();
    let rules: Vec<Value> = rules
        .into_iter()
        .map(|(id, about)| json!({ "id": id, "shortDescription": { "text": clean(about) } }))
        .collect();
    let results: Vec<Value> = entries.iter().map(result).collect();
    // What an interrupted run has not reached is not mended.
    let is_complete = report.error.is_none() && !report.header.interrupted;
    let mut invocation = json!({ "executionSuccessful": is_complete });
    if let Some(error) = &report.error {
        invocation["toolExecutionNotifications"] = json!([{
            "level": "error",
            "message": { "text": clean(&error.message) },
        }]);
    }
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "tcprove",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "invocations": [invocation],
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn result(entry: &Entry) -> Value {
    let mut location = json!({ "physicalLocation": {
        "artifactLocation": { "uri": FILE },
        "region": { "startLine": 1 },
    } });
    if let Some(function) = &entry.function {
        location["logicalLocations"] =
            json!([{ "fullyQualifiedName": clean(function), "kind": "function" }]);
    }
    let mut result = json!({
        "ruleId": entry.rule,
        "level": entry.level.name(),
        "message": { "text": clean(&entry.text) },
        "locations": [location],
        "partialFingerprints": { "tcprove/1": clean(&entry.fingerprint) },
    });
    if let Some(reason) = &entry.waived {
        result["suppressions"] = json!([{ "kind": "external", "justification": clean(reason) }]);
    }
    result
}

fn collect(report: &Report, entries: &mut Vec<Entry>) {
    match &report.body {
        Body::Check(checked) => battery(checked, entries),
        Body::Calls(sweep) => {
            entries.extend(
                sweep.failures().map(|row| Entry {
                    rule: "sweep".into(),
                    about:
                        "a result of a system call costs at most the connection that it concerns"
                            .into(),
                    text: format!(
                        "{}: {}\n{}",
                        row.case,
                        row.actual.as_deref().unwrap_or_default(),
                        row.reproduce.as_deref().unwrap_or_default()
                    ),
                    fingerprint: row.case.to_string(),
                    ..Entry::default()
                }),
            )
        }
        Body::Run(whole) => {
            battery(&whole.checked, entries);
            whole.parts().for_each(|part| collect(part, entries));
        }
        Body::Fuzz(fuzz) => campaign(fuzz, entries),
        Body::Replay(replay) => replayed(replay, entries),
        Body::Gate(gate) => gated(gate, entries),
        Body::Nothing {}
        | Body::Load(_)
        | Body::Observed(_)
        | Body::Sweep(_)
        | Body::History(_) => {}
    }
}

fn battery(checked: &CheckReport, entries: &mut Vec<Entry>) {
    entries.extend(checked.outcomes.iter().filter_map(fell_short));
    entries.extend(checked.blockers.iter().map(|blocker| Entry {
        rule: "requirements".into(),
        about: "what the file requires or waives is true".into(),
        text: blocker.clone(),
        fingerprint: blocker.clone(),
        ..Entry::default()
    }));
}

fn fell_short(outcome: &Outcome) -> Option<Entry> {
    let level = match outcome.outcome {
        Verdict::Fail => Level::Error,
        Verdict::Warn => Level::Warning,
        Verdict::Pass | Verdict::Skip | Verdict::Inconclusive => return None,
    };
    let said = |text: &Option<String>| text.clone().unwrap_or_default();
    Some(Entry {
        rule: outcome.id.to_owned(),
        about: outcome.requirement.to_owned(),
        level,
        text: format!(
            "expected: {}\nactual: {}\nreproduce: {}\nnext: {}",
            said(&outcome.expected),
            said(&outcome.actual),
            outcome.reproduce,
            said(&outcome.next)
        ),
        fingerprint: outcome.id.to_owned(),
        waived: outcome.waived.clone(),
        ..Entry::default()
    })
}

fn campaign(fuzz: &FuzzReport, entries: &mut Vec<Entry>) {
    entries.extend(fuzz.result.findings.iter().map(|finding| {
        let kind = finding.symptom.kind.name();
        let level = match Standing::of(finding) {
            Standing::Counts | Standing::Waived => Level::Error,
            Standing::Unconfirmed | Standing::Unsettled => Level::Warning,
        };
        Entry {
            rule: format!("fuzz-{kind}"),
            about: format!("no case causes a finding of the kind {kind}"),
            level,
            text: format!(
                "{}\nconfirmed: {}\nreproduce: {}",
                finding.symptom.title,
                how_sure(finding),
                finding.reproduce
            ),
            fingerprint: finding.id.clone(),
            waived: finding.waived.clone(),
            ..Entry::default()
        }
    }));
}

fn replayed(replay: &ReplayReport, entries: &mut Vec<Entry>) {
    let is_bad = |outcome| matches!(outcome, ItemOutcome::Reproduced | ItemOutcome::Changed);
    let items = replay.items.iter().filter(|item| is_bad(item.outcome()));
    entries.extend(items.map(|item| Entry {
        rule: "replay".into(),
        about: "a known finding is gone, and a recorded session gets the same replies".into(),
        text: format!("{} {}: {}", item.name(), item.seen, item.details()),
        fingerprint: item.name(),
        ..Entry::default()
    }));
}

fn gated(gate: &GateReport, entries: &mut Vec<Entry>) {
    let result = &gate.result;
    let worse = |cell: &&crate::gate::GateCell| {
        cell.decides && cell.comparison.verdict == CellVerdict::Fail && result.stands(cell)
    };
    entries.extend(result.cells.iter().filter(worse).map(|cell| {
        let explained = result.explanation(cell.metric);
        let first = explained.and_then(|explained| explained.functions.first());
        let function = first.map(|first| first.function.clone());
        Entry {
            rule: format!("gate-{}", cell.metric.name()),
            about: format!("{} stays within its budget", cell.metric.about()),
            text: format!(
                "{}: {}, budget {} %",
                cell.metric.about(),
                change(cell),
                cell.comparison.budget_pct
            ),
            fingerprint: cell.at.clone().unwrap_or_default(),
            function,
            ..Entry::default()
        }
    }));
    let behaviour = gate.behaviour.iter();
    let rows = behaviour.flat_map(|behaviour| behaviour.rows());
    let new = rows.filter(|(change, _)| change.kind == ChangeKind::NewFailure);
    entries.extend(new.map(|(change, [_, place, base, candidate])| Entry {
        rule: "gate-behaviour".into(),
        about: "the candidate does not fail where the base does not".into(),
        text: format!("{place}: base {base}; candidate {candidate}"),
        fingerprint: change.what.clone(),
        ..Entry::default()
    }));
    entries.extend(result.broken.iter().map(|broken| Entry {
        rule: "gate-broken".into(),
        about: "base and candidate answer".into(),
        text: format!("the {} {}", broken.side, broken.what),
        fingerprint: broken.side.name().into(),
        ..Entry::default()
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::FindingKind;
    use crate::report::sample::{campaign, checked, failed_to_start, finding, replay};

    fn run_of(report: &Report) -> Value {
        let mut log: Value = serde_json::from_str(&render(report)).unwrap();
        assert_eq!(log["version"], "2.1.0");
        log["runs"][0].take()
    }

    #[test]
    fn each_failure_and_warning_is_a_result_of_a_rule_that_is_there() {
        let report = checked();
        let Body::Check(battery) = &report.body else {
            panic!("no battery");
        };
        let is_short =
            |outcome: &&Outcome| matches!(outcome.outcome, Verdict::Fail | Verdict::Warn);
        let short = battery.outcomes.iter().filter(is_short).count();
        let run = run_of(&report);
        let results = run["results"].as_array().unwrap();
        assert!(short > 0);
        assert_eq!(results.len(), short + battery.blockers.len());
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        for result in results {
            assert!(rules.iter().any(|rule| rule["id"] == result["ruleId"]));
            let place = &result["locations"][0]["physicalLocation"];
            assert_eq!(place["artifactLocation"]["uri"], FILE);
        }
        assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    }

    #[test]
    fn an_interrupted_run_is_not_complete() {
        let mut report = checked();
        report.header.interrupted = true;
        let run = run_of(&report);
        assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    }

    #[test]
    fn what_is_waived_is_suppressed_and_what_is_not_sure_is_a_warning() {
        let report = campaign(vec![
            finding(FindingKind::Crash, 5, Some("known")),
            finding(FindingKind::Hang, 0, None),
        ]);
        let run = run_of(&report);
        let [waived, unsure] = run["results"].as_array().unwrap().as_slice() else {
            panic!("{run}");
        };
        assert_eq!(waived["suppressions"][0]["justification"], "known");
        assert_eq!(unsure["level"], "warning");
        assert!(unsure.get("suppressions").is_none());
    }

    #[test]
    fn a_replay_has_what_still_reproduces() {
        let run = run_of(&replay());
        assert_eq!(run["results"].as_array().unwrap().len(), 1, "{run}");
    }

    #[test]
    fn a_run_that_could_not_begin_says_why() {
        let run = run_of(&failed_to_start());
        let invocation = &run["invocations"][0];
        assert_eq!(invocation["executionSuccessful"], false);
        let notes = invocation["toolExecutionNotifications"].as_array().unwrap();
        assert!(!notes[0]["message"]["text"].as_str().unwrap().is_empty());
    }
}
