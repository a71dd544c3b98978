//! Made-up gates: what they measured is read and judged together, in whichever order and grouping, and what does not belong
//! together is told.

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{few, header, in_text, page};
use super::{MergeError, StoredReport, gate};
use crate::gate::sample::{MadeGate, plan};
use crate::report::{Body, Contents, GateReport, Header, Report, html, json as as_json, terminal};

/// The plan of a gate with this number among four, or with none.
fn planned(part: Option<usize>) -> Value {
    let mut plan = serde_json::to_value(plan()).unwrap();
    plan["talk"] = json!("line");
    if let Some(index) = part {
        plan["part"] = json!({ "index": index, "count": 4 });
    }
    plan
}

fn report(number: usize, made: &MadeGate, plan: Value) -> Report {
    let (result, samples) = made.result(&crate::gate::sample::plan());
    let body = GateReport {
        base: Some("old".into()),
        candidate: "new".into(),
        contents: Contents {
            base: Some("0a".into()),
            candidate: Some("0b".into()),
        },
        stored: None,
        result,
        samples,
        gates: Vec::new(),
        behaviour: None,
    };
    let header = Header {
        run_id: format!("20270301T000000Z-{number:04}"),
        ..header("gate", plan)
    };
    Report::new(header, Ok(Body::Gate(Box::new(body))))
}

fn stored(number: usize, report: &Report) -> StoredReport {
    let path = format!("{number}.json");
    StoredReport::of_json(Path::new(&path), &as_json::render(report)).unwrap()
}

fn formats(report: &Report) -> Vec<String> {
    let Body::Gate(gate) = &report.body else {
        panic!("no gate");
    };
    let mut formats = in_text(report).to_vec();
    formats.extend([html::gate(&page(report), gate)]);
    formats
}

fn merged(stored: Vec<StoredReport>) -> Report {
    gate::merged(stored).unwrap()
}

/// Log ratios; one in twenty is no number, as of a session that measured no CPU time.
fn ratios(most: usize) -> impl Strategy<Value = Vec<f64>> {
    let ratio = prop_oneof![
        40 => -0.01..0.06_f64,
        1 => Just(f64::NEG_INFINITY),
        1 => Just(f64::NAN),
    ];
    prop::collection::vec(ratio, 0..most)
}

fn made() -> impl Strategy<Value = MadeGate> {
    let control = prop::collection::vec(0.0..0.04_f64, 0..12);
    let instructions = prop::option::of(950.0..1_100.0_f64);
    let rounds = prop::collection::vec(-0.1..0.3_f64, 0..10);
    let sessions = (ratios(24), ratios(14), control);
    (sessions, any::<bool>(), instructions, rounds).prop_map(
        |((first, fresh, control), is_cut, instructions, rounds)| MadeGate {
            first,
            fresh,
            control,
            is_cut,
            instructions,
            rounds,
        },
    )
}

proptest! {
    #![proptest_config(few(5))]

    /// What a gate stores is all that its verdict is made of: read again, it is the same in every format, to the last digit.
    #[test]
    fn a_gate_alone_is_itself(made in made()) {
        let report = report(1, &made, planned(None));
        let merged = merged(vec![stored(1, &report)]);
        prop_assert_eq!(formats(&merged), formats(&report));
    }

    /// Gates may be merged in any order, and those that were merged may be merged again.
    #[test]
    fn gates_are_merged_in_any_order_and_grouping(
        all in prop::collection::vec(made(), 2..6),
        turn in 0_usize..6,
        at in 1_usize..5,
    ) {
        let all: Vec<Report> = all
            .iter()
            .enumerate()
            .map(|(number, made)| report(number, made, planned(None)))
            .collect();
        let stored_all = || -> Vec<StoredReport> {
            all.iter().enumerate().map(|(number, report)| stored(number, report)).collect()
        };
        let whole = formats(&merged(stored_all()));
        let mut turned = stored_all();
        turned.rotate_left(turn % all.len());
        if turn % 2 == 1 {
            turned.reverse();
        }
        prop_assert_eq!(&formats(&merged(turned)), &whole);
        let mut first = stored_all();
        let last = first.split_off(at.min(all.len() - 1));
        // A group of one is that gate.
        let groups = [first, last].map(merged);
        let grouped = groups.iter().enumerate().map(|(number, report)| stored(10 + number, report));
        prop_assert_eq!(&formats(&merged(grouped.collect())), &whole);
    }
}

/// A gate whose CPU time changed by this many percent, with these random sessions.
fn changed(percent: f64, sessions: usize, seed: usize) -> MadeGate {
    let around = |place: usize| {
        let noise = (place * 7 + seed * 3) % 11;
        (percent / 100.0).ln_1p() + 0.003 * (noise as f64 - 5.0)
    };
    MadeGate {
        first: (0..sessions).map(around).collect(),
        control: vec![0.02_f64.ln_1p(); 10],
        ..MadeGate::default()
    }
}

#[test]
fn gates_that_see_nothing_alone_see_it_together() {
    let of = |percent: f64| -> Vec<Report> {
        let made = (0..4).map(|seed| changed(percent, 20, seed));
        made.enumerate()
            .map(|(number, made)| report(number, &made, planned(Some(number + 1))))
            .collect()
    };
    let words = |reports: &[Report]| {
        let alone: Vec<String> = reports
            .iter()
            .map(|report| format!("{:?}", report.verdict))
            .collect();
        let all = reports.iter().enumerate();
        let merged = merged(all.map(|(number, report)| stored(number, report)).collect());
        let told = terminal::render(&merged, None);
        assert!(told.contains("merged from 4 gates"), "{told}");
        (alone.join(" "), format!("{:?}", merged.verdict), told)
    };
    // Suspect in each gate, and in none there was a fresh session.
    let (alone, together, told) = words(&of(3.0));
    assert_eq!(alone, "Inconclusive Inconclusive Inconclusive Inconclusive");
    assert_eq!(together, "Fail", "{told}");
    let (alone, together, told) = words(&of(0.1));
    assert_eq!(
        (alone.as_str(), together.as_str()),
        ("Pass Pass Pass Pass", "Pass"),
        "{told}"
    );
    // Too near the budget for twenty sessions.
    let (alone, together, told) = words(&of(1.8));
    assert_eq!(alone, "Inconclusive Inconclusive Inconclusive Inconclusive");
    assert_eq!(together, "Pass", "{told}");
}

#[test]
fn a_gate_that_cannot_see_does_not_hide_among_others() {
    let mut blind = changed(0.0, 20, 1);
    blind.control = vec![0.0; 10];
    let mut all: Vec<_> = (0..4)
        .map(|seed| report(seed, &changed(0.0, 20, seed), planned(Some(seed + 1))))
        .collect();
    all[2] = report(2, &blind, planned(Some(3)));
    let all = all.iter().enumerate();
    let merged = merged(all.map(|(number, report)| stored(number, report)).collect());
    let told = terminal::render(&merged, None);
    assert!(
        told.contains("gate 3 of 4: less than the planted work"),
        "{told}"
    );
    assert_eq!(merged.verdict, crate::report::RunVerdict::Inconclusive);
}

fn refused(stored: Vec<StoredReport>) -> String {
    match gate::merged(stored) {
        Err(error @ (MergeError::Apart(_) | MergeError::Unfit { .. })) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_does_not_belong_together_is_told() {
    let one = |part| report(1, &changed(0.0, 20, 1), planned(part));
    let two = |part| report(2, &changed(0.0, 20, 2), planned(part));
    let told = refused(vec![stored(1, &one(None)), stored(2, &one(None))]);
    assert!(
        told.contains("the gate 20270301T000000Z-0001 is there twice: 1.json and 2.json"),
        "{told}"
    );
    let told = refused(vec![stored(1, &one(Some(2))), stored(2, &two(Some(2)))]);
    assert!(told.contains("gate 2 of 4 is there twice"), "{told}");
    let told = refused(vec![stored(1, &one(Some(2))), stored(2, &two(Some(4)))]);
    assert!(told.contains("gate 1, 3 of 4 is missing"), "{told}");
    let told = refused(vec![stored(1, &one(Some(2))), stored(2, &two(None))]);
    assert!(
        told.contains("gates: nothing, and 4") || told.contains("gates: 4, and nothing"),
        "{told}"
    );
    let mut other = two(None);
    other.header.plan.as_mut().unwrap()["budgets"]["server-cpu"] = json!(0.05);
    let told = refused(vec![stored(1, &one(None)), stored(2, &other)]);
    assert!(
        told.contains("budgets.server-cpu: 0.02, and 0.05"),
        "{told}"
    );
    // What follows from the speed of a machine may differ.
    let mut slow = two(None);
    slow.header.plan.as_mut().unwrap()["overhead_s"] = json!(0.7);
    slow.header.plan.as_mut().unwrap()["duet"]["real"] = json!(33);
    merged(vec![stored(1, &one(None)), stored(2, &slow)]);
    let mut rebuilt = stored(2, &two(None));
    rebuilt.json["contents"]["candidate"] = json!("0c");
    let told = refused(vec![stored(1, &one(None)), rebuilt]);
    assert!(told.contains("candidate: \"0b\", and \"0c\""), "{told}");
    assert!(told.contains("build each program once"), "{told}");
}

#[test]
fn what_is_no_gate_is_told() {
    let one = report(1, &changed(0.0, 20, 1), planned(None));
    let mut interrupted = stored(1, &one);
    interrupted.head.interrupted = true;
    assert!(refused(vec![interrupted]).contains("was interrupted"));
    let mut baseline = stored(1, &one);
    baseline.json["stored"] = json!({ "path": "x" });
    assert!(refused(vec![baseline]).contains("it stored a baseline"));
    let mut other = stored(1, &one);
    other.head.command = "load".into();
    assert!(refused(vec![other]).contains("with gates only"));
    let mut torn = stored(1, &one);
    torn.json["samples"]["duet"]["first"][0]["cpu_log_ratio"] = json!("x");
    assert!(refused(vec![torn]).contains("cannot be read"));
}
