//! A gate as JUnit: one test case per metric.

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::clean;
use crate::gate::rule::CellVerdict;
use crate::report::gate::{change, percent};
use crate::report::{Behaviour, ChangeKind, GateReport};

pub(super) fn render(junit: &mut Junit, gate: &GateReport) {
    let mut suite = TestSuite::new("gate");
    for cell in &gate.result.cells {
        let budget = percent(cell.comparison.budget_pct);
        let message = format!("{}, budget {budget}", change(cell));
        let mut status = match (cell.comparison.verdict, cell.decides) {
            (CellVerdict::Pass, _) => TestCaseStatus::success(),
            (CellVerdict::Fail, true) => TestCaseStatus::non_success(NonSuccessKind::Failure),
            _ => TestCaseStatus::skipped(),
        };
        if cell.comparison.verdict != CellVerdict::Pass {
            status.set_message(clean(&message));
        }
        let metric = cell.metric.name();
        let name = match &cell.at {
            Some(at) => format!("{metric} ({at})"),
            None => metric.to_owned(),
        };
        let mut case = TestCase::new(name, status);
        case.set_classname("tcprove.gate");
        suite.add_test_case(case);
    }
    if let Some(control) = &gate.result.control {
        let mut status = if control.void {
            TestCaseStatus::skipped()
        } else {
            TestCaseStatus::success()
        };
        if let Some(reason) = &control.reason {
            status.set_message(clean(reason));
        }
        suite.add_test_case(TestCase::new("control", status));
    }
    if let Some(broken) = &gate.result.broken {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(clean(&broken.what));
        suite.add_test_case(TestCase::new(broken.side.name(), status));
    }
    junit.add_test_suite(suite);
    if let Some(behaviour) = &gate.behaviour {
        junit.add_test_suite(changes(behaviour));
    }
}

/// A case for each change; one that passes if there are none.
fn changes(behaviour: &Behaviour) -> TestSuite {
    let mut suite = TestSuite::new("behaviour");
    for (change, [kind, place, base, candidate]) in behaviour.rows() {
        let mut status = match change.kind {
            ChangeKind::NewFailure => TestCaseStatus::non_success(NonSuccessKind::Failure),
            _ => TestCaseStatus::success(),
        };
        status.set_message(clean(&format!(
            "{kind}: base {base}; candidate {candidate}"
        )));
        suite.add_test_case(TestCase::new(clean(&place), status));
    }
    for unclear in &behaviour.unclear {
        let mut status = TestCaseStatus::skipped();
        status.set_message(clean(unclear));
        suite.add_test_case(TestCase::new("not clear", status));
    }
    if behaviour.changes.is_empty() && behaviour.unclear.is_empty() {
        suite.add_test_case(TestCase::new("no change", TestCaseStatus::success()));
    }
    suite
}
