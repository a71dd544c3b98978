//! Parts of made-up sweeps: merged, they are the whole, in every format, and what is missing or wrong is told.

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{few, header, in_text, page};
use super::{PartReport, merged};
use crate::bench::sample::{MadeVisit, measured};
use crate::bench::{Dimension, Measured, csv, parse_all};
use crate::data::Shard;
use crate::report::{Body, Report, SweepReport, html, json as as_json};

/// Rounds of a made-up sweep.
const ROUNDS: usize = 8;
/// Its cells.
const CELLS: usize = 6;

fn axes() -> Vec<Dimension> {
    parse_all(["client.so_rcvbuf=0,64,1KiB", "payload=64,16KiB"]).unwrap()
}

fn visit() -> impl Strategy<Value = Option<MadeVisit>> {
    let buffer = prop::sample::select(vec![0_u64, 2304, 131_072]);
    let valid = (1_000.0..2_000.0_f64, buffer);
    prop_oneof![
        6 => valid.clone().prop_map(|(ops, buffer)| Some(MadeVisit::Valid(ops, buffer))),
        2 => valid.prop_map(|(ops, buffer)| Some(MadeVisit::Limited(ops, buffer))),
        1 => Just(Some(MadeVisit::Disturbed)),
        1 => Just(Some(MadeVisit::Lost)),
        1 => Just(Some(MadeVisit::NotStarted)),
        1 => Just(None),
    ]
}

type Visits = Vec<Option<MadeVisit>>;

fn visits() -> impl Strategy<Value = Visits> {
    prop::collection::vec(visit(), CELLS * ROUNDS)
}

/// What the process measures that runs the rounds of this part.
fn of_part(visits: &Visits, shard: Shard) -> Measured {
    let came = |cell: usize, round: usize| visits[cell * ROUNDS + round];
    measured(&axes(), ROUNDS, |round| shard.takes(round), came)
}

fn plan(shard: Option<Shard>) -> Value {
    json!({ "talk": "line", "axes": axes(), "rounds": ROUNDS, "shard": shard })
}

fn report(mut measured: Measured, shard: Option<Shard>) -> Report {
    measured.find_equal(&axes());
    let sweep = SweepReport {
        result: measured.result(&axes()),
        part: shard.map(|_| Box::new(measured)),
    };
    Report::new(
        header("bench", plan(shard)),
        Ok(Body::Sweep(Box::new(sweep))),
    )
}

/// The report of a part, written and read.
fn part(visits: &Visits, index: usize, count: usize) -> PartReport {
    let shard = Shard { index, count };
    let text = as_json::render(&report(of_part(visits, shard), Some(shard)));
    PartReport::of_json(Path::new(&format!("{index}.json")), &text).unwrap()
}

fn parts(visits: &Visits, count: usize) -> Vec<PartReport> {
    (1..=count)
        .map(|index| part(visits, index, count))
        .collect()
}

fn formats(report: &Report) -> Vec<String> {
    let Body::Sweep(sweep) = &report.body else {
        panic!("no sweep");
    };
    let mut formats = in_text(report).to_vec();
    formats.extend([
        html::sweep(&page(report), &sweep.result),
        csv::render(&sweep.result),
    ]);
    formats
}

proptest! {
    #![proptest_config(few(5))]

    /// However many parts a sweep has, and in whichever order they are given, merged they are the sweep of a single process: in
    /// every format, to the last digit.
    #[test]
    fn parts_are_the_whole(visits in visits(), count in 1_usize..=ROUNDS, turn in 0_usize..ROUNDS) {
        let mut parts = parts(&visits, count);
        parts.rotate_left(turn % count);
        let merged = merged(parts).unwrap();
        let whole = of_part(&visits, Shard { index: 1, count: 1 });
        prop_assert_eq!(formats(&merged), formats(&report(whole, None)));
    }

    /// What parts have measured may be added in any order and grouping.
    #[test]
    fn measured_rounds_add_up_in_any_order_and_grouping(visits in visits()) {
        let [a, b, c] = [1, 2, 3].map(|index| of_part(&visits, Shard { index, count: 3 }));
        let sum = |one: &Measured, other: &Measured| {
            let mut sum = one.clone();
            sum.add(other).unwrap();
            sum
        };
        let left = sum(&sum(&a, &b), &c);
        prop_assert_eq!(&left, &sum(&a, &sum(&b, &c)));
        prop_assert_eq!(&left, &sum(&sum(&c, &b), &a));
        prop_assert_eq!(left, of_part(&visits, Shard { index: 1, count: 1 }));
    }
}

fn some() -> Vec<PartReport> {
    let visit = |place: usize| Some(MadeVisit::Valid(1000.0 + place as f64, 131_072));
    parts(&(0..CELLS * ROUNDS).map(visit).collect(), 3)
}

fn refused(parts: Vec<PartReport>) -> String {
    merged(parts).unwrap_err().to_string()
}

#[test]
fn what_is_missing_or_there_twice_is_told() {
    let mut parts = some();
    let third = parts.pop().unwrap();
    assert!(refused(parts.clone()).contains("part 3 of 3 is missing"));
    parts.extend([third, parts[0].clone()]);
    assert!(refused(parts).contains("the same part is there twice: 1.json (part 1 of 3)"));
}

#[test]
fn what_differs_between_sweeps_is_told() {
    let mut parts = some();
    parts[1].head.plan_hash = Some("other".into());
    parts[1].head.plan["axes"][1]["values"] = json!(["64", "128"]);
    let told = refused(parts);
    assert!(told.contains("not parts of the same run"), "{told}");
    assert!(
        told.contains("axes[1].values[1]: \"16384\", and \"128\""),
        "{told}"
    );
}

#[test]
fn a_part_that_measured_something_else_is_told() {
    let mut parts = some();
    let rounds = &mut parts[1].json["part"]["cells"][0]["rounds"];
    rounds[0] = rounds[1].clone();
    let told = refused(parts);
    assert!(
        told.contains("it has measured round 1, which is not one of part 2 of 3"),
        "{told}"
    );
    let mut parts = some();
    parts[2].json["part"]["cells"].as_array_mut().unwrap().pop();
    let told = refused(parts);
    assert!(told.contains("it has 5 cells, and its plan 6"), "{told}");
    let mut parts = some();
    parts[0].json["part"] = Value::Null;
    assert!(refused(parts).contains("what this part measured cannot be read"));
}

#[test]
fn a_whole_sweep_is_no_part() {
    let visits = vec![Some(MadeVisit::Valid(1000.0, 0)); CELLS * ROUNDS];
    let whole = report(of_part(&visits, Shard { index: 1, count: 1 }), None);
    let told = PartReport::of_json(Path::new("x.json"), &as_json::render(&whole)).unwrap_err();
    assert!(told.contains("whole sweep"), "{told}");
    assert!(told.contains("tcprove bench --shard I/N"), "{told}");
}
