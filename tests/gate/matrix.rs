//! Loads on base and candidate in turn: a loss shows in them, an end that is asked for keeps what was measured,
//! and what a server does not stand is said. The library is asked, with a plan of few and short visits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tcprove::event::Event;
use tcprove::file::builtin;
use tcprove::gate::rule::CellVerdict;
use tcprove::gate::{
    Gate, GateCell, GatePlan, GateRequest, GateResult, MatrixCell, MatrixPlan, Metric, Pair, Side,
};
use tcprove::load::Workload;
use tcprove::process::Launch;
use tcprove::subject::{Interrupt, Origin, Subject};

use crate::support::skip::is_slow;
use crate::support::{alone, share};

fn server(arguments: &[&str]) -> Subject {
    let binary = crate::support::program();
    let words = [binary, "serve", "--protocol", "line", "--port", "{port}"];
    let launch = Launch::new(binary, words.iter().chain(arguments).copied());
    let file = builtin("line").unwrap();
    Subject {
        origin: Origin::Spawn(Box::new(launch)),
        talk: Arc::new(file.talk),
        promise: file.promise,
        seed: 5,
    }
}

/// One cell, throughput decides.
fn plan(connections: usize) -> GatePlan {
    let workload = Workload {
        seed: 5,
        ..Workload::default()
    };
    let cells = vec![MatrixCell::new(Some(64), vec![1], connections)];
    let overhead = Duration::from_millis(20);
    let request = GateRequest {
        budgets: BTreeMap::from([(Metric::Throughput, 0.1)]),
        workload: workload.clone(),
        cells: cells.clone(),
        max_time: Duration::from_secs(60),
        exchange: Duration::ZERO,
        counts: false,
        sessions: None,
    };
    GatePlan {
        matrix: Some(MatrixPlan {
            warmup: Duration::from_millis(10),
            measured: Duration::from_millis(40),
            ..MatrixPlan::least(cells, workload, overhead, true)
        }),
        counting: None,
        ..GatePlan::without_duet(request)
    }
}

fn run(base: &[&str], candidate: &[&str], plan: &GatePlan, ends_after: usize) -> GateResult {
    share();
    let (interrupt, steps) = (Interrupt::default(), AtomicUsize::new(0));
    let mut result = GateResult::default();
    Gate {
        begun: std::time::Instant::now(),
        subjects: Pair {
            base: &server(base),
            candidate: &server(candidate),
        },
        plan,
        interrupt: &interrupt,
        sink: &|event| {
            let is_step = matches!(event, Event::Step { .. });
            if is_step && steps.fetch_add(1, Ordering::Relaxed) == ends_after {
                interrupt.set();
            }
        },
    }
    .run(&mut result);
    result
}

fn cell(result: &GateResult, metric: Metric) -> &GateCell {
    let found = result.cells.iter().find(|cell| cell.metric == metric);
    found.unwrap_or_else(|| panic!("no cell {metric:?}: {result:#?}"))
}

/// Six times what it does otherwise: no client is that slow.
#[test]
fn a_server_that_serves_less_fails_by_its_throughput() {
    if !is_slow("a quarter of a minute of loads") {
        return;
    }
    let _alone = alone();
    let result = run(&[], &["--slower", "500"], &plan(4), usize::MAX);
    let throughput = cell(&result, Metric::Throughput);
    assert_eq!(
        throughput.comparison.verdict,
        CellVerdict::Fail,
        "{result:#?}"
    );
    assert_eq!(
        throughput.at.as_deref(),
        Some("payload 64 B, 4 connections")
    );
    assert!(
        throughput.comparison.low_pct.unwrap() > 100.0,
        "{throughput:#?}"
    );
    assert!(throughput.comparison.fresh_sessions >= 12 && throughput.decides);
    assert!(!cell(&result, Metric::P99).decides);
    assert_eq!(result.verdict(), CellVerdict::Fail);
}

#[test]
fn an_end_that_is_asked_for_keeps_the_rounds_that_were_made() {
    if !is_slow("a quarter of a minute of loads") {
        return;
    }
    let result = run(&[], &[], &plan(4), 3);
    assert_eq!(cell(&result, Metric::P99).comparison.sessions, 3);
    assert_eq!(result.matrix.unwrap().rounds, 3);
    assert!(result.broken.is_none());
}

/// The second client of it waits until the first has gone.
#[test]
fn a_server_that_serves_one_at_a_time_is_asked_on_one_connection() {
    if !is_slow("a quarter of a minute of loads") {
        return;
    }
    let one = ["--model", "sequential"];
    let result = run(&one, &one, &plan(4), 2);
    let throughput = cell(&result, Metric::Throughput);
    assert_eq!(throughput.at.as_deref(), Some("payload 64 B, 1 connection"));
    assert!(throughput.base.unwrap() > 0.0);
    assert!(
        result
            .notes
            .iter()
            .any(|note| note.contains("cannot handle")),
        "{:?}",
        result.notes
    );
}

/// The base serves several at a time, the candidate does not: that is a loss, not a slow load.
#[test]
fn a_candidate_that_leaves_clients_without_a_reply_is_broken() {
    if !is_slow("a quarter of a minute of loads") {
        return;
    }
    let result = run(&[], &["--model", "sequential"], &plan(4), usize::MAX);
    let broken = result.broken.as_ref().unwrap();
    assert_eq!(broken.side, Side::Candidate);
    assert!(broken.what.contains("unanswered"), "{broken:?}");
    assert_eq!(result.verdict(), CellVerdict::Fail);
}
