//! A campaign: one test case per finding, or a passed one. A replay: one test case per replayed finding.

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::{clean, one_case};
use crate::fuzz::{Finding, case};
use crate::report::fuzz::{ItemOutcome, Standing, how_sure};
use crate::report::{FuzzReport, ReplayItem, ReplayReport, Report, RunVerdict};

/// Maximum steps shown of a finding; its case file contains all of them.
const STEPS_SHOWN: usize = 40;

pub(super) fn campaign(junit: &mut Junit, report: &Report, fuzz: &FuzzReport) {
    let mut suite = TestSuite::new("fuzz");
    for finding in &fuzz.result.findings {
        let mut case = TestCase::new(clean(&finding.id), status(finding));
        case.set_classname(format!("tcprove.fuzz.{}", finding.symptom.kind.name()));
        suite.add_test_case(case);
    }
    if fuzz.result.findings.is_empty() {
        // An error is reported elsewhere.
        let status = match report.verdict {
            RunVerdict::Error => return,
            RunVerdict::Pass => TestCaseStatus::success(),
            RunVerdict::Fail | RunVerdict::Inconclusive => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(format!("inconclusive: {}", fuzz.answer()));
                status
            }
        };
        suite.add_test_case(TestCase::new("fuzz", status));
    }
    junit.add_test_suite(suite);
}

fn status(finding: &Finding) -> TestCaseStatus {
    let skipped = |why: String| {
        let mut status = TestCaseStatus::skipped();
        status.set_message(clean(&why));
        status
    };
    match Standing::of(finding) {
        Standing::Waived => skipped(format!(
            "waived: {}",
            finding.waived.as_deref().unwrap_or("")
        )),
        Standing::Unconfirmed => skipped(format!(
            "inconclusive: not reproduced ({}): {}",
            finding.confirmed, finding.symptom.title
        )),
        Standing::Unsettled => skipped(format!("{}: {}", how_sure(finding), finding.symptom.title)),
        Standing::Counts => {
            let steps = finding.cases.iter().flat_map(case::shown).take(STEPS_SHOWN);
            let steps: Vec<String> = steps.map(|line| clean(&line)).collect();
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status
                .set_type(finding.symptom.kind.name())
                .set_message(clean(&finding.symptom.title))
                .set_description(format!(
                    "confirmed {}\n{}\nreproduce: {}",
                    how_sure(finding),
                    steps.join("\n"),
                    clean(&finding.reproduce)
                ));
            status
        }
    }
}

pub(super) fn replay(junit: &mut Junit, report: &Report, replay: &ReplayReport) {
    if replay.items.is_empty() {
        return one_case(junit, report, "");
    }
    let mut suite = TestSuite::new("replay");
    for item in &replay.items {
        let mut case = TestCase::new(clean(&item.name()), replayed(item));
        case.set_classname("tcprove.replay");
        suite.add_test_case(case);
    }
    junit.add_test_suite(suite);
}

fn replayed(item: &ReplayItem) -> TestCaseStatus {
    let mut status = match item.outcome() {
        ItemOutcome::Gone | ItemOutcome::Same => return TestCaseStatus::success(),
        ItemOutcome::Reproduced | ItemOutcome::Changed => {
            TestCaseStatus::non_success(NonSuccessKind::Failure)
        }
        ItemOutcome::Unclear => TestCaseStatus::skipped(),
    };
    if item.reproduced && !item.kind.is_empty() {
        status.set_type(clean(&item.kind));
    }
    status.set_message(clean(&format!(
        "{} {}: {}",
        item.outcome().name(),
        item.seen,
        item.details()
    )));
    status
}
