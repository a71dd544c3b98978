//! Batteries and sweeps of calls with all that a page shows, made up for tests.

use std::time::Duration;

use serde_json::json;

use super::sample::{HOSTILE, campaign, checked, finding, outcome, report, swept};
use super::{Body, CallSweepReport, CheckReport, Learned, Report, Since, Whole};
use crate::check::run::sweep::{CallSweepResult, SweepCase, SweepOutcome, SweepRow};
use crate::check::{FailureKind, Ran, Verdict};
use crate::data::{Action, Actions, Actor};
use crate::fuzz::FindingKind;
use crate::subject::{Latency, Limits, Tried};

/// A battery with all that a page shows: who did what when, stderr, times, what was learned, and an earlier run.
pub(super) fn checked_in_full() -> Report {
    let Body::Check(CheckReport {
        mut outcomes,
        blockers,
        ..
    }) = checked().body
    else {
        panic!("a battery")
    };
    let earlier = vec![
        outcome("split-bytewise", Verdict::Pass),
        outcome("zero-length", Verdict::Fail),
        outcome("idle-cpu", Verdict::Pass),
    ];
    let step = |at_ms, connection, by, what: &str| Action {
        at_ms,
        connection,
        by,
        what: what.into(),
        times: 1,
    };
    for (place, outcome) in outcomes.iter_mut().enumerate() {
        // It is inferred again.
        outcome.cause = None;
        outcome.ran = vec![Ran {
            begin: Duration::from_millis(1_000 * place as u64),
            took: outcome.duration,
        }];
        if !outcome.is_about_the_server() {
            continue;
        }
        outcome.transcript = Actions {
            first: vec![
                step(0.2, 1, Actor::Client, "connect to 127.0.0.1:9000"),
                step(12.0, 1, Actor::Client, "send a b\\n"),
                step(13.0, 1, Actor::Server, &format!("got {HOSTILE}")),
            ],
            left_out: 3,
            last: vec![
                step(1_500.0, 0, Actor::Check, "SIGTERM to process 7"),
                Action {
                    times: 4,
                    ..step(1_600.0, 2, Actor::Check, "connection refused")
                },
            ],
        };
        let stderr = json!(["Traceback:", format!("  {HOSTILE}")]);
        outcome.evidence.insert("stderr".into(), stderr);
        outcome.evidence.insert(HOSTILE.into(), json!(HOSTILE));
        outcome.reproduce += HOSTILE;
        outcome.by_hand += HOSTILE;
    }
    let learned = Learned {
        took_ms: 1_234,
        exchange_ms: 0.2,
        limits: Limits::default(),
        tried: Tried::default(),
        latency: Latency::default(),
        runs_once: Some(HOSTILE.into()),
        at_rest: Vec::new(),
        keeps_connections: false,
        unasked: None,
        order: Vec::new(),
    };
    let mut since = Since::of(HOSTILE.into(), &earlier, &outcomes);
    since.notes.push("The plan was another one.".into());
    let mut checked = CheckReport::new(outcomes, blockers, Some(learned));
    checked.since = Some(Box::new(since));
    report("check", Ok(Body::Check(checked)))
}

/// A run: this battery, a campaign with a finding, a sweep.
pub(super) fn whole(checked: CheckReport) -> Whole {
    Whole {
        checked,
        fuzz: Some(campaign(vec![finding(FindingKind::Crash, 5, None)])),
        bench: Some(swept()),
    }
}

/// A sweep of calls with a result of each kind.
pub(super) fn calls() -> Report {
    let row = |case: &str, outcome| SweepRow {
        case: SweepCase::parse(case).unwrap(),
        outcome,
        kind: (outcome == SweepOutcome::Fail).then_some(FailureKind::Died),
        actual: (outcome == SweepOutcome::Fail).then(|| HOSTILE.into()),
        reproduce: (outcome == SweepOutcome::Fail)
            .then(|| format!("tcprove check --sweep {case} --seed 7")),
        by_hand: (outcome == SweepOutcome::Fail).then(|| HOSTILE.into()),
    };
    let result = CallSweepResult {
        calls: vec!["accept4".into(), "recvfrom".into()],
        cases: 4,
        rows: vec![
            row("accept4:1:ECONNABORTED", SweepOutcome::Fail),
            row("accept4:1:EINTR", SweepOutcome::Served),
            row("recvfrom:1:ECONNRESET", SweepOutcome::Lost),
            row("recvfrom:1:EINTR", SweepOutcome::Flaky),
        ],
        failed: 1,
        left: 0,
        unanswered: ["ioctl".into()].into(),
        has_rings: true,
        skipped: None,
        seconds: 2.5,
    };
    let calls = CallSweepReport { result };
    report("check", Ok(Body::Calls(Box::new(calls))))
}
