//! Reports of every kind, made up for tests of the formats, with hostile text in them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::html::sample as pages;
use super::{
    Behaviour, BehaviourChange, Body, ChangeKind, CheckReport, Contents, Environment, FuzzReport,
    GateReport, Header, HistoryReport, LoadReport, ReplayItem, ReplayReport, Report, RunError,
    SweepReport, TargetReport,
};
#[cfg(feature = "cli")]
use crate::check::FailureKind;
use crate::check::{Outcome, Verdict};
use crate::fuzz::{
    Case, Confirmed, Coverage, Data, DataPart, Finding, FindingKind, FuzzResult, SendStep, Step,
    Symptom, TimeSpent,
};
#[cfg(feature = "cli")]
use crate::gate::history::parse;
use crate::gate::rule::Rule;
use crate::gate::{ControlReport, GateCell, GateResult, Metric, SkippedTier, Tier};

/// What may reach no format raw.
pub(super) const HOSTILE: &str = "says \u{1b}[31m<script>|`x`\u{202e}";

/// The header of a run that took no time.
pub(crate) fn header(command: &'static str) -> Header {
    Header {
        command,
        run_id: "20270301T000000Z-0007".into(),
        seed: 7,
        plan: None,
        plan_hash: None,
        environment: Environment {
            tcprove: "0.1.0",
            kernel: "6.1.0".into(),
            cpus: 2,
            model: "a processor".into(),
            nofile: 1024,
            steal: None,
            throttled: None,
        },
        target: None,
        interrupted: false,
        duration_s: 0.0,
    }
}

/// A finding of that standing.
pub(super) fn finding(kind: FindingKind, seen: u32, waived: Option<&str>) -> Finding {
    let mut data = Data::from(&b"ECHO \xff"[..]);
    data.push(DataPart::Repeat {
        unit: b"A".to_vec(),
        count: 70_000,
    });
    let cases = vec![Case::new(vec![
        Step::Send(SendStep {
            data,
            cuts: vec![3],
        }),
        Step::Reset,
    ])];
    Finding {
        id: format!("{}-1a2b", kind.name()),
        symptom: Symptom {
            kind,
            title: HOSTILE.into(),
            key: "k".into(),
            evidence: BTreeMap::from([("signal".to_owned(), json!("SIGSEGV"))]),
        },
        confirmed: Confirmed { seen, of: 5 },
        again: Confirmed::default(),
        rate: None,
        unsettled: None,
        found_by: None,
        turn: None,
        steps: 2,
        bytes: 70_006,
        reproducer: Some("findings/x".into()),
        reproduce: "tcprove replay findings/x".into(),
        first_seen_s: 3.25,
        minimal: seen > 0,
        waived: waived.map(str::to_owned),
        cases,
    }
}

/// A report of the demo server, from no machine in particular.
pub(super) fn report(command: &'static str, result: Result<Body, RunError>) -> Report {
    let target = TargetReport {
        beside: Vec::new(),
        name: "demo".into(),
        command: "demo".into(),
        embedded: false,
    };
    let header = Header {
        target: Some(target),
        ..header(command)
    };
    Report::new(header, result)
}

pub(crate) fn outcome(id: &'static str, verdict: Verdict) -> Outcome {
    let fell_short = matches!(verdict, Verdict::Fail | Verdict::Warn);
    Outcome {
        id,
        group: "framing",
        outcome: verdict,
        kind: fell_short.then_some(FailureKind::WrongReply),
        requirement: "A message may arrive in any number of segments (RFC 9293, 3.8).",
        expected: fell_short.then(|| "\"a b\\n\"".into()),
        actual: fell_short.then(|| HOSTILE.into()),
        reason: match verdict {
            Verdict::Skip => Some("[promise] max_message is not set".into()),
            Verdict::Inconclusive => Some("the machine was too busy".into()),
            _ => None,
        },
        enable: match verdict {
            Verdict::Skip => vec!["`max_message = BYTES` in [promise]"],
            _ => Vec::new(),
        },
        transcript: Default::default(),
        evidence: serde_json::Map::from_iter([(
            "steps".to_owned(),
            json!([" 0.1 ms  send \"a\""]),
        )]),
        stimulus_proof: Some("2 segments arrived apart".into()),
        attempts: if fell_short { 2 } else { 1 },
        control: None,
        waived: None,
        duration: Duration::from_millis(1_250),
        ran: Vec::new(),
        reproduce: format!("tcprove check --only {id} --seed 7 -- demo {{port}}"),
        by_hand: "printf 'a b\\n' | nc 127.0.0.1 PORT".into(),
        next: fell_short.then(|| "look at the code".into()),
        cause: None,
    }
}

/// A battery with an outcome of every kind, one of them waived, and a blocker.
pub(crate) fn checked() -> Report {
    let waived = Outcome {
        waived: Some("issue 7".into()),
        ..outcome("split-two", Verdict::Fail)
    };
    let outcomes = vec![
        outcome("split-bytewise", Verdict::Fail),
        outcome("split-each-offset", Verdict::Fail),
        waived,
        outcome("rst-mid-reply", Verdict::Warn),
        outcome("zero-length", Verdict::Pass),
        outcome("huge-length", Verdict::Skip),
        outcome("idle-cpu", Verdict::Inconclusive),
    ];
    let blocker = format!("the waiver for `nul-bytes` ({HOSTILE}) is stale");
    let checked = CheckReport::new(outcomes, vec![blocker], None);
    report("check", Ok(Body::Check(checked)))
}

/// A run whose server did not start.
pub(super) fn failed_to_start() -> Report {
    let message = format!("the server exited with code 4\n  {HOSTILE}\nnext: start it by hand");
    report("check", Err(RunError::target(message)))
}

/// A load that can be trusted, or not.
#[cfg(feature = "cli")]
pub(super) fn loaded(valid: bool) -> Report {
    let load = LoadReport {
        workload: crate::load::Workload::default(),
        result: pages::load(valid),
        slo: None,
        overload: None,
        part: None,
        parts: None,
    };
    report("load", Ok(Body::Load(Box::new(load))))
}

/// A sweep of three models by two payloads.
#[cfg(feature = "cli")]
pub(super) fn swept() -> Report {
    let sweep = SweepReport {
        result: pages::models(),
        part: None,
    };
    report("bench", Ok(Body::Sweep(Box::new(sweep))))
}

/// Fifty gates with a step, a slow drift and a metric that got better; on another machine too few.
#[cfg(feature = "cli")]
pub(super) fn history() -> Report {
    let line = |gate: usize| {
        // Splitmix64, from -1 to 1.
        let mut mixed = (gate as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let noise = (mixed ^ mixed >> 31) as i64 as f64 / 2f64.powi(63);
        let cell = |metric: &str, at: Option<&str>, figure: f64| json!({"metric": metric, "at": at, "candidate": figure, "estimate_pct": null});
        let step = if gate < 25 { 0.0 } else { 3.0 };
        json!({
            "schema": "tcprove-history/1",
            "run_id": format!("run-{gate}"),
            "time": format!("2026-03-01T10:00:{gate:02}Z"),
            "commit": if gate == 25 { HOSTILE.to_owned() } else { format!("commit-{gate}") },
            "fingerprint": if gate < 50 { "1" } else { "2" },
            "machine": {"model": "AMD EPYC 7763", "cpus": 8, "kernel": "6.8.0"},
            "target": HOSTILE,
            "cells": [
                cell("server-cpu", None, (100.0 + step + noise) / 4.0),
                cell("rss", None, 4e6 * (1.0 + gate as f64 / 20.0)),
                cell("instructions", None, if gate < 10 { 5_000.0 } else { 4_000.0 }),
                cell("p99", Some(HOSTILE), 310.0 + noise),
            ],
        })
        .to_string()
    };
    let lines: Vec<String> = (0..53).map(line).collect();
    let entries = parse(&lines.join("\n")).unwrap();
    let history = crate::gate::history::history(&entries);
    report(
        "history",
        Ok(Body::History(Box::new(HistoryReport { history }))),
    )
}

/// A gate with a difference of each kind in what both servers do.
pub(super) fn gated_with_behaviour() -> GateReport {
    let change = |kind, what: &str, count| BehaviourChange {
        kind,
        what: what.to_owned(),
        base: "pass".into(),
        candidate: format!("fail, died: {HOSTILE}"),
        count,
        reproduce: Some("tcprove check --only fd-leak --seed 7".into()),
    };
    GateReport {
        behaviour: Some(Behaviour {
            checks: 80,
            cases: 12,
            changes: vec![
                change(ChangeKind::NewFailure, "check fd-leak", 1),
                change(ChangeKind::Fixed, "check oob-byte", 1),
                change(ChangeKind::ChangedReply, &format!("case {HOSTILE}"), 3),
                change(ChangeKind::ChangedVerdict, "check herd", 1),
            ],
            unclear: vec![format!("check churn differed once: {HOSTILE}")],
            notes: vec!["there was no time for 3 of 15 cases".into()],
        }),
        ..gated(0.0, 1e-3, 2.0)
    }
}

/// A campaign with these findings.
pub(super) fn campaign(findings: Vec<Finding>) -> Report {
    let body = Body::Fuzz(Box::new(FuzzReport {
        result: FuzzResult {
            members: Vec::new(),
            executions: 12_345,
            executions_per_s: 1_234.5,
            coverage: Coverage {
                feedback: "shape".into(),
                edges: 120,
                chosen: "as asked for".into(),
                ..Coverage::default()
            },
            findings,
            restarts: 3,
            corpus: 12,
            kept: Default::default(),
            jobs: 2,
            canaries: 45,
            time: TimeSpent {
                wall_s: 10.0,
                ..TimeSpent::default()
            },
            notes: vec![HOSTILE.into()],
        },
    }));
    report("fuzz", Ok(body))
}

/// One finding that is still there, one that is gone, and one that could not be judged.
pub(super) fn replay() -> Report {
    let item = |id: &str, seen: &str| ReplayItem {
        path: format!("findings/{id}/case.json").into(),
        id: id.into(),
        kind: "crash".into(),
        seen: seen.into(),
        reproduced: !seen.starts_with('0'),
        compared: false,
        detail: HOSTILE.into(),
        error: None,
    };
    let items = vec![
        item("crash-1", "5/5"),
        item("crash-2", "0/3"),
        ReplayItem {
            error: Some("the server does not start".into()),
            ..item("", "0/0")
        },
    ];
    report("replay", Ok(Body::Replay(ReplayReport { items })))
}

/// A gate whose server CPU changed by about this many percent, with a control that measured `seen`.
pub(super) fn gated(percent: f64, noise: f64, seen: f64) -> GateReport {
    let ratios = |n: i32| -> Vec<f64> {
        let around = |place: i32| (percent / 100.0).ln_1p() + noise * f64::from(place % 5 - 2);
        (0..n).map(around).collect()
    };
    let rule = Rule { budget: 0.02 };
    let metric = Metric::ServerCpu;
    let cell = GateCell {
        metric,
        tier: metric.tier(),
        at: None,
        unit: metric.unit(),
        decides: true,
        base: Some(10.0),
        candidate: Some(10.0),
        comparison: rule.compare(&ratios(20), &ratios(12)),
        spread_pct: None,
        settles_in_s: Some(90.2),
        reason: None,
    };
    let control = rule.control(&[(seen / 100.0).ln_1p(); 10]);
    GateReport {
        behaviour: None,
        base: Some(HOSTILE.into()),
        candidate: "new".into(),
        contents: Contents::default(),
        stored: None,
        samples: Default::default(),
        gates: Vec::new(),
        result: GateResult {
            cells: vec![cell],
            control: Some(ControlReport::of(&control)),
            skipped: vec![SkippedTier {
                tier: Tier::Deterministic,
                reason: format!("the base: {HOSTILE}\n  a second line"),
            }],
            notes: vec![HOSTILE.into()],
            ..GateResult::default()
        },
    }
}
