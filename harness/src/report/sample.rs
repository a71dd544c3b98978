//! Campaigns, replays and gates made up for tests of the formats, with hostile text in them.

use std::collections::BTreeMap;

use serde_json::json;

use super::{FuzzReport, GateReport, ReplayItem, ReplayReport, Report, TargetReport};
use crate::fuzz::{
    Case, Confirmed, Coverage, Data, DataPart, Finding, FindingKind, FuzzResult, SendStep, Step,
    Symptom,
};
use crate::gate::rule::Rule;
use crate::gate::{ControlReport, GateCell, GateResult, Metric, Skipped, Tier};

/// What may reach no format raw.
const HOSTILE: &str = "says \u{1b}[31m<script>|`x`\u{202e}";

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
    let mut report = Report::new("fuzz", 7);
    report.target = Some(TargetReport {
        name: "demo".into(),
        command: "demo".into(),
        embedded: false,
    });
    report.fuzzed(FuzzReport {
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
    });
    report
}

/// One finding that is still there, one that is gone, and one that could not be judged.
pub(super) fn replay() -> Report {
    let mut report = Report::new("replay", 7);
    let item = |id: &str, seen: &str| ReplayItem {
        path: format!("findings/{id}/case.json").into(),
        id: id.into(),
        kind: "crash".into(),
        seen: seen.into(),
        reproduced: !seen.starts_with('0'),
        detail: HOSTILE.into(),
        error: None,
    };
    report.replayed(ReplayReport {
        items: vec![
            item("crash-1", "5/5"),
            item("crash-2", "0/3"),
            ReplayItem {
                error: Some("the server does not start".into()),
                ..item("", "0/0")
            },
        ],
    });
    report
}

/// Base and candidate, whose CPU time changed by about so many percent, in a control that saw so much.
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
        cell: rule.cell(&ratios(20), &ratios(12)),
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
            skipped: vec![Skipped {
                tier: Tier::Deterministic,
                reason: format!("the base: {HOSTILE}\n  a second line"),
            }],
            notes: vec![HOSTILE.into()],
            ..GateResult::default()
        },
    }
}
