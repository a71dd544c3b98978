//! Parts of made-up batteries: merged, they are the whole, in every format.

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::{PartReport, merged};
use crate::check::{self, FailureKind, Outcome, PlannedWaiver, Selection, Verdict, blockers};
use crate::data::{Actions, Shard};
use crate::report::{
    Body, CheckReport, Environment, Header, Report, html, json as as_json, junit, markdown, sample,
    terminal,
};

/// Checks of a battery.
const CHECKS: usize = 12;

fn plan(shard: Option<(usize, usize)>) -> serde_json::Value {
    json!({
        "talk": "line",
        "selection": {
            "only": [], "skip": [], "require": ["split-*"],
            "shard": shard.map(|(index, count)| json!({ "index": index, "count": count })),
        },
        "waivers": [{ "check": "split-*", "reason": "issue 7" }],
    })
}

/// The header of a report that is written and read again: with numbers that have no exact binary form.
pub(super) fn header(command: &'static str, plan: serde_json::Value) -> Header {
    let sample = sample::header(command);
    Header {
        plan: Some(plan),
        plan_hash: Some("0123456789abcdef".into()),
        environment: Environment {
            tcprove: env!("CARGO_PKG_VERSION"),
            steal: Some(0.1),
            ..sample.environment
        },
        duration_s: 1.7,
        ..sample
    }
}

fn report(outcomes: Vec<Outcome>, blockers: Vec<String>, plan: serde_json::Value) -> Report {
    let checked = CheckReport::new(outcomes, blockers, None);
    Report::new(header("check", plan), Ok(Body::Check(checked)))
}

fn outcome(check: &'static check::Check, verdict: Verdict) -> Outcome {
    let fell_short = matches!(verdict, Verdict::Fail | Verdict::Warn);
    let is_waived = verdict == Verdict::Fail && check.id.starts_with("split-");
    Outcome {
        id: check.id,
        group: check.group,
        outcome: verdict,
        kind: fell_short.then_some(FailureKind::WrongReply),
        requirement: check.requirement,
        expected: fell_short.then(|| "\"a\\n\"".into()),
        actual: fell_short.then(|| "says \u{1b}[31m<b>|`x`".into()),
        reason: (!fell_short && verdict != Verdict::Pass).then(|| "a reason".into()),
        enable: match verdict {
            Verdict::Skip => vec!["--slow"],
            _ => Vec::new(),
        },
        evidence: serde_json::Map::from_iter([("steps".to_owned(), json!(["send \"a\"", 0.1]))]),
        transcript: Actions::default(),
        stimulus_proof: Some("2 segments arrived apart".into()),
        attempts: if fell_short { 2 } else { 1 },
        control: fell_short.then(|| "pass".into()),
        waived: is_waived.then(|| "issue 7".into()),
        duration: Duration::from_millis(1_250),
        ran: Vec::new(),
        reproduce: format!("tcprove check --only {} --seed 7", check.id),
        by_hand: "printf 'a\\n' | nc 127.0.0.1 PORT".into(),
        next: fell_short.then(|| "look at the code".into()),
        cause: None,
    }
}

fn whole(verdicts: &[Verdict]) -> Vec<Outcome> {
    let checks = check::all().step_by(check::all().count() / CHECKS);
    checks
        .zip(verdicts)
        .map(|(check, verdict)| outcome(check, *verdict))
        .collect()
}

fn judged(outcomes: Vec<Outcome>, shard: Option<(usize, usize)>) -> Report {
    let plan = plan(shard);
    let waivers: Vec<PlannedWaiver> = serde_json::from_value(plan["waivers"].clone()).unwrap();
    let waivers: Vec<_> = waivers.into_iter().map(PlannedWaiver::waiver).collect();
    let selection = Selection {
        require: vec!["split-*".into()],
        shard: shard.map(|(index, count)| Shard { index, count }),
        ..Selection::default()
    };
    let blockers = blockers::of(&outcomes, &waivers, &selection);
    report(outcomes, blockers, plan)
}

/// The parts of a battery: `places` says to which part each check belongs.
fn parts(outcomes: &[Outcome], places: &[usize], count: usize) -> Vec<PartReport> {
    let nth = |index: usize| {
        let of_part = outcomes.iter().zip(places);
        let of_part = of_part.filter(|(_, place)| *place % count == index);
        let of_part = of_part.map(|(outcome, _)| outcome.clone()).collect();
        let text = as_json::render(&judged(of_part, Some((index + 1, count))));
        PartReport::of_json(Path::new(&format!("{index}.json")), &text).unwrap()
    };
    (0..count).map(nth).collect()
}

/// The report in every format that is text.
pub(super) fn in_text(report: &Report) -> [String; 4] {
    [
        as_json::render(report),
        junit::render(report),
        markdown::render(report),
        terminal::render(report, Some(100)),
    ]
}

/// What a page says beside the report.
pub(super) fn page(report: &Report) -> html::Page<'_> {
    html::Page {
        title: "t",
        verdict: Some("v"),
        target: "",
        command_lines: Vec::new(),
        environment: &report.header.environment,
        duration_s: 1.0,
        seed: 7,
        interrupted: false,
    }
}

/// For what takes long in debug builds: so many cases, or as many as PROPTEST_CASES says.
pub(super) fn few(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => default,
        None => ProptestConfig { cases, ..default },
    }
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop::sample::select(vec![
        Verdict::Pass,
        Verdict::Fail,
        Verdict::Warn,
        Verdict::Skip,
        Verdict::Inconclusive,
    ])
}

proptest! {
    /// However a battery is split, and in whichever order its parts are given, they are the whole. PROPTEST_CASES=10000 tries
    /// more splits.
    #[test]
    fn parts_are_the_whole(
        verdicts in prop::collection::vec(verdict(), CHECKS),
        places in prop::collection::vec(0_usize..8, CHECKS),
        count in 1_usize..6,
        turn in 0_usize..6,
    ) {
        let outcomes = whole(&verdicts);
        let mut parts = parts(&outcomes, &places, count);
        parts.rotate_left(turn % count);
        if turn % 2 == 1 {
            parts.reverse();
        }
        let merged = merged(parts).unwrap();
        prop_assert_eq!(in_text(&merged), in_text(&judged(outcomes, None)));
    }
}

fn some() -> Vec<PartReport> {
    let outcomes = whole(&[Verdict::Pass; CHECKS]);
    parts(&outcomes, &[0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2], 3)
}

fn refused(parts: Vec<PartReport>) -> String {
    merged(parts).unwrap_err().to_string()
}

#[test]
fn what_is_missing_or_there_twice_is_told() {
    let mut parts = some();
    let third = parts.pop().unwrap();
    assert!(refused(parts.clone()).contains("part 3 of 3 is missing"));
    let again = parts[0].clone();
    parts.extend([third, again]);
    assert!(refused(parts).contains("the same part is there twice: 0.json (part 1 of 3)"));
    assert!(refused(Vec::new()).contains("no reports"));
}

#[test]
fn a_check_that_ran_in_two_parts_is_told() {
    let mut parts = some();
    let moved = parts[0].json["outcomes"][0].clone();
    parts[2].json["outcomes"]
        .as_array_mut()
        .unwrap()
        .push(moved);
    assert!(refused(parts).contains("ran in two parts, 0.json (part 1 of 3) and 2.json"));
}

#[test]
fn what_differs_between_runs_is_told() {
    let mut parts = some();
    parts[1].head.plan_hash = Some("other".into());
    parts[1].head.plan["talk"] = "echo".into();
    let told = refused(parts);
    assert!(told.contains("not parts of the same run"), "{told}");
    assert!(told.contains("talk: \"line\", and \"echo\""), "{told}");
    let mut parts = some();
    parts[1].shard.count = 4;
    assert!(refused(parts).contains("parts: 3, and 4"));
}

#[test]
fn what_is_no_part_is_told() {
    let path = Path::new("x.json");
    let told = |text: &str| PartReport::of_json(path, text).unwrap_err();
    assert!(told("{").contains("no report of tcprove"));
    assert!(told("{}").contains("no `schema`"));
    let outcomes = whole(&[Verdict::Pass; CHECKS]);
    let text = as_json::render(&judged(outcomes, None));
    assert!(told(&text).contains("no part of one"));
    let text = as_json::render(&judged(Vec::new(), Some((1, 2))));
    let other = text.replace(env!("CARGO_PKG_VERSION"), "0.0.1");
    assert!(told(&other).contains("written by tcprove 0.0.1"));
    let other = text.replace("\"interrupted\": false", "\"interrupted\": true");
    assert!(told(&other).contains("interrupted"), "{text}");
    let other = text.replace("\"command\": \"check\"", "\"command\": \"replay\"");
    assert!(told(&other).contains("`tcprove replay`"));
}
