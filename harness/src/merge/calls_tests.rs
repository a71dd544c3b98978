//! Parts of made-up sweeps of calls: merged, they are the whole, in every format, and what does not fit is told.

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{header, in_text};
use super::{PartReport, merged};
use crate::check::FailureKind;
use crate::check::run::sweep::{CallSweepResult, SweepCase, SweepOutcome, SweepRow};
use crate::data::Shard;
use crate::report::{Body, CallSweepReport, Report, json as as_json};

/// Cases of the whole sweep.
const CASES: [&str; 9] = [
    "accept4:1:EMFILE",
    "accept4:1:ECONNABORTED",
    "recvfrom:1:EINTR",
    "recvfrom:1:short",
    "recvfrom:2:ECONNRESET",
    "sendto:1:EPIPE",
    "sendto:1:short",
    "sendto:2:EAGAIN",
    "sendto:2:ECONNRESET",
];

fn row(case: &str, outcome: SweepOutcome) -> SweepRow {
    let is_short = matches!(outcome, SweepOutcome::Fail | SweepOutcome::Flaky);
    let is_failed = outcome == SweepOutcome::Fail;
    SweepRow {
        case: SweepCase::parse(case).unwrap(),
        outcome,
        kind: is_short.then_some(FailureKind::WrongReply),
        actual: is_short.then(|| "says \u{1b}[31m<b>|`x`".into()),
        reproduce: is_failed.then(|| format!("tcprove check --sweep {case}")),
        by_hand: is_failed.then(|| "strace ...".into()),
    }
}

/// The sweep of a process that tries the cases of this part.
fn swept(outcomes: &[SweepOutcome], shard: Shard) -> CallSweepResult {
    let all = CASES.iter().zip(outcomes).enumerate();
    let mine = all.filter(|(place, _)| shard.takes(*place));
    let rows: Vec<_> = mine
        .map(|(_, (case, outcome))| row(case, *outcome))
        .collect();
    let is_failed = |row: &&SweepRow| row.outcome == SweepOutcome::Fail;
    CallSweepResult {
        calls: ["accept4", "recvfrom", "sendto"].map(Into::into).to_vec(),
        cases: CASES.len(),
        failed: rows.iter().filter(is_failed).count(),
        rows,
        unanswered: [std::borrow::Cow::Borrowed("epoll_wait")].into(),
        seconds: 1.3,
        ..CallSweepResult::default()
    }
}

fn report(result: CallSweepResult, shard: Option<Shard>) -> Report {
    let plan = json!({ "talk": "line", "sweep": null, "shard": shard, "max_time_s": null });
    let body = Body::Calls(Box::new(CallSweepReport { result }));
    Report::new(header("check", plan), Ok(body))
}

fn parts(outcomes: &[SweepOutcome], count: usize) -> Vec<PartReport> {
    let part = |index| {
        let shard = Shard { index, count };
        let text = as_json::render(&report(swept(outcomes, shard), Some(shard)));
        PartReport::of_json(Path::new(&format!("{index}.json")), &text).unwrap()
    };
    (1..=count).map(part).collect()
}

fn outcome() -> impl Strategy<Value = SweepOutcome> {
    prop::sample::select(vec![
        SweepOutcome::Served,
        SweepOutcome::Lost,
        SweepOutcome::Refused,
        SweepOutcome::NotReached,
        SweepOutcome::Flaky,
        SweepOutcome::Fail,
    ])
}

proptest! {
    /// However many parts a sweep of calls has, and in whichever order they are given, they are the whole. PROPTEST_CASES=10000
    /// tries more splits.
    #[test]
    fn parts_are_the_whole(
        outcomes in prop::collection::vec(outcome(), CASES.len()),
        count in 1_usize..12,
        turn in 0_usize..12,
    ) {
        let mut parts = parts(&outcomes, count);
        parts.rotate_left(turn % count);
        let merged = merged(parts).unwrap();
        let whole = swept(&outcomes, Shard { index: 1, count: 1 });
        prop_assert_eq!(in_text(&merged), in_text(&report(whole, None)));
    }
}

fn changed(place: &str, value: Value) -> String {
    let mut parts = parts(&[SweepOutcome::Served; CASES.len()], 3);
    *parts[1].json.pointer_mut(place).unwrap() = value;
    merged(parts).unwrap_err().to_string()
}

#[test]
fn parts_that_divided_other_cases_are_told() {
    let told = changed("/sweep/calls", json!(["accept4", "read", "write"]));
    assert!(told.contains("1.json (part 1 of 3) and 2.json"), "{told}");
    assert!(
        told.contains("accept4 recvfrom sendto, and accept4 read write"),
        "{told}"
    );
    let told = changed("/sweep/cases", json!(8));
    assert!(told.contains("9 cases, and 8 cases"), "{told}");
    let told = changed("/sweep/rows/0/case", json!(CASES[0]));
    assert!(told.contains("both tried accept4:1:EMFILE"), "{told}");
    let told = changed("/sweep/skipped", json!("interrupted"));
    assert!(told.contains("no case was tried (interrupted)"), "{told}");
    let told = changed("/sweep/rows/0/case", json!("accept4:1"));
    assert!(told.contains("its rows cannot be read"), "{told}");
}

#[test]
fn a_part_of_a_battery_is_no_part_of_a_sweep() {
    let outcomes = [SweepOutcome::Served; CASES.len()];
    let mut parts = parts(&outcomes, 2);
    let plan = json!({ "selection": { "shard": { "index": 2, "count": 2 } } });
    let battery = Report::new(header("check", plan), Ok(Body::Check(Default::default())));
    let text = as_json::render(&battery);
    parts[1] = PartReport::of_json(Path::new("2.json"), &text).unwrap();
    let told = merged(parts).unwrap_err().to_string();
    assert!(
        told.contains("1.json is a part of a sweep of calls, and 2.json of a battery"),
        "{told}"
    );
}
