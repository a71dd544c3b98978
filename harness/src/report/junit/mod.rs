//! JUnit XML, as CI systems read it: a failure is `<failure>`, a run that could not be made is
//! `<error>`, and what is waived, skipped or inconclusive is `<skipped>`.

mod fuzz;
mod gate;

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::{Body, CallSweepReport, CheckReport, Report, RunVerdict};
use crate::check::run::sweep::SweepOutcome;
use crate::check::{Outcome, Verdict};
use crate::load::joined;
use crate::text::escape_text;

/// The report as one suite per group.
pub(crate) fn render(report: &Report) -> String {
    let mut junit = Junit::new("tcprove");
    junit.set_time(std::time::Duration::from_secs_f64(report.header.duration_s));
    if let Some(error) = &report.error {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status
            .set_type(error.code.name())
            .set_message(clean(error.message.lines().next().unwrap_or_default()))
            .set_description(lines(&error.message));
        let mut suite = TestSuite::new(report.header.command);
        suite.add_test_case(TestCase::new("run", status));
        junit.add_test_suite(suite);
    }
    suites(&mut junit, report);
    junit
        .to_string()
        .unwrap_or_else(|error| format!("<!-- {error} -->\n"))
}

fn suites(junit: &mut Junit, report: &Report) {
    match &report.body {
        Body::Nothing {} => one_case(junit, report, ""),
        Body::Check(checked) => battery(junit, checked),
        Body::Calls(sweep) => calls(junit, sweep),
        Body::Run(whole) => {
            battery(junit, &whole.checked);
            whole.parts().for_each(|part| suites(junit, part));
        }
        Body::Sweep(_) | Body::History(_) => one_case(junit, report, ""),
        Body::Load(load) => one_case(junit, report, &joined(&load.result.validity.reasons)),
        Body::Observed(observed) => one_case(junit, report, &observed.seen()),
        Body::Fuzz(fuzz) => fuzz::campaign(junit, report, fuzz),
        Body::Replay(replay) => fuzz::replay(junit, report, replay),
        Body::Gate(gate) => gate::render(junit, gate),
    }
}

/// A case for each call and result.
fn calls(junit: &mut Junit, sweep: &CallSweepReport) {
    for (call, rows) in sweep.lines() {
        let mut suite = TestSuite::new(call);
        for row in rows {
            let mut status = match row.outcome {
                SweepOutcome::Served | SweepOutcome::Lost | SweepOutcome::Refused => {
                    TestCaseStatus::success()
                }
                SweepOutcome::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
                SweepOutcome::NotReached | SweepOutcome::Flaky => TestCaseStatus::skipped(),
            };
            if let Some(actual) = &row.actual {
                status.set_message(clean(actual));
            }
            suite.add_test_case(TestCase::new(row.case.to_string(), status));
        }
        junit.add_test_suite(suite);
    }
}

/// A run that is one measurement: failed, inconclusive with its reasons, or fine.
fn one_case(junit: &mut Junit, report: &Report, why: &str) {
    let mut status = match report.verdict {
        RunVerdict::Pass => TestCaseStatus::success(),
        RunVerdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        RunVerdict::Inconclusive => TestCaseStatus::skipped(),
        // Told as an error above.
        RunVerdict::Error => return,
    };
    if report.verdict != RunVerdict::Pass {
        status.set_message(clean(why));
    }
    let mut suite = TestSuite::new(report.header.command);
    suite.add_test_case(TestCase::new("run", status));
    junit.add_test_suite(suite);
}

fn battery(junit: &mut Junit, checked: &CheckReport) {
    for group in groups(checked) {
        let mut suite = TestSuite::new(group);
        for outcome in checked
            .outcomes
            .iter()
            .filter(|outcome| outcome.group == group)
        {
            suite.add_test_case(case(outcome));
        }
        junit.add_test_suite(suite);
    }
    if !checked.blockers.is_empty() {
        let mut suite = TestSuite::new("requirements of the file");
        for blocker in &checked.blockers {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(clean(blocker));
            suite.add_test_case(TestCase::new(clean(blocker), status));
        }
        junit.add_test_suite(suite);
    }
}

fn groups(checked: &CheckReport) -> Vec<&'static str> {
    let mut groups: Vec<&'static str> = Vec::new();
    for outcome in &checked.outcomes {
        if !groups.contains(&outcome.group) {
            groups.push(outcome.group);
        }
    }
    groups
}

fn case(outcome: &Outcome) -> TestCase {
    let mut case = TestCase::new(outcome.id, status(outcome));
    case.set_classname(format!("tcprove.{}", outcome.group.replace(' ', "-")))
        .set_time(outcome.duration);
    case
}

fn status(outcome: &Outcome) -> TestCaseStatus {
    let said = |text: &Option<String>| clean(text.as_deref().unwrap_or(""));
    if let Some(reason) = &outcome.waived {
        let mut status = TestCaseStatus::skipped();
        status.set_message(clean(&format!("waived: {reason}")));
        return status;
    }
    match outcome.outcome {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Fail => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status
                .set_type(outcome.kind.map_or("failure", |kind| kind.name()))
                .set_message(format!(
                    "expected {}; {}",
                    said(&outcome.expected),
                    said(&outcome.actual)
                ))
                .set_description(lines(&format!(
                    "{}\n{}reproduce: {}\nnext: {}",
                    outcome.requirement,
                    outcome
                        .cause
                        .map_or(String::new(), |cause| format!("probable cause: {cause}\n")),
                    outcome.reproduce,
                    outcome.next.as_deref().unwrap_or_default()
                )));
            status
        }
        Verdict::Warn => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(format!(
                "warning: expected {}; {}",
                said(&outcome.expected),
                said(&outcome.actual)
            ));
            status
        }
        Verdict::Skip | Verdict::Inconclusive => {
            let word = if outcome.outcome == Verdict::Skip {
                "skipped"
            } else {
                "inconclusive"
            };
            let mut status = TestCaseStatus::skipped();
            status.set_message(format!("{word}: {}", said(&outcome.reason)));
            status
        }
    }
}

/// A text of several lines, each of them cleaned.
pub(super) fn lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(clean).collect();
    lines.join("\n")
}

/// Nothing that a server sent may reach the file raw: control characters are not even legal XML.
fn clean(text: &str) -> String {
    escape_text(text, 4000)
}
