//! Campaigns, replays and gates made up for tests of the formats, with hostile text in them.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    Body, Environment, FuzzReport, GateReport, Header, ReplayItem, ReplayReport, Report,
    TargetReport,
};
use crate::fuzz::{
    Case, Confirmed, Coverage, Data, Finding, FindingKind, FuzzResult, Part, SendStep, Step,
    Symptom,
};
use crate::gate::rule::Rule;
use crate::gate::{ControlReport, GateCell, GateResult, Metric, SkippedTier, Tier};

/// What may reach no format raw.
const HOSTILE: &str = "says \u{1b}[31m<script>|`x`\u{202e}";

/// The header of a run that took no time.
pub(super) fn header(command: &'static str) -> Header {
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
    data.push(Part::Repeat {
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

/// A campaign with these findings.
pub(super) fn campaign(findings: Vec<Finding>) -> Report {
    let body = Body::Fuzz(Box::new(FuzzReport {
        result: FuzzResult {
            executions: 12_345,
            executions_per_s: 1_234.5,
            coverage: Coverage {
                feedback: "shape".into(),
                edges: 120,
            },
            findings,
            restarts: 3,
            corpus: 12,
            jobs: 2,
            canaries: 45,
            notes: vec![HOSTILE.into()],
        },
    }));
    let target = TargetReport {
        name: "demo".into(),
        command: "demo".into(),
        embedded: false,
    };
    let header = Header {
        target: Some(target),
        ..header("fuzz")
    };
    Report::new(header, Ok(body))
}

/// One finding that is still there, one that is gone, and one that could not be judged.
pub(super) fn replay() -> Report {
    let item = |id: &str, seen: &str| ReplayItem {
        path: format!("findings/{id}/case.json").into(),
        id: id.into(),
        kind: "crash".into(),
        seen: seen.into(),
        reproduced: !seen.starts_with('0'),
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
    Report::new(header("replay"), Ok(Body::Replay(ReplayReport { items })))
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
        base: Some(HOSTILE.into()),
        candidate: "new".into(),
        stored: None,
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
