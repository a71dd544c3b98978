//! Each metric of the duet that is not about speed sees what is planted, and nothing in a server beside itself. The
//! library is asked, with short sessions.

use std::sync::Arc;
use std::time::Duration;

use tcprove::gate::duet::Duet;
use tcprove::gate::rule::{FirstStage, Rule};
use tcprove::gate::{DuetPlan, Metric, Pair};
use tcprove::load::Workload;
use tcprove::process::Launch;
use tcprove::subject::{Interrupt, Origin, Subject};

use crate::support::skip::is_thorough;
use crate::support::{alone, data, python};

/// What is planted, in all metrics at once: `tests/data/slowed_line.py` explains the options.
const WORSE: [&str; 16] = [
    "--start",
    "300",
    "--descriptors",
    "20",
    "--threads",
    "9",
    "--spin",
    "0.3",
    "--polls",
    "100",
    "--connection-work",
    "300",
    "--keep",
    "40000",
    "--pad",
    "30",
];
/// The metrics and a budget for each.
const METRICS: [(Metric, f64); 8] = [
    (Metric::StartTime, 0.5),
    (Metric::Descriptors, 0.1),
    (Metric::Threads, 0.1),
    (Metric::IdleCpu, 0.5),
    (Metric::IdleWakeups, 0.5),
    (Metric::ConnectionCpu, 0.1),
    (Metric::ConnectionMemory, 0.1),
    (Metric::WireBytes, 0.1),
];

fn subject(python: &str, options: &[&str]) -> Subject {
    let file = tcprove::file::load(data("padded.toml").as_ref()).unwrap();
    let script = data("slowed_line.py");
    let words = [python, &script, "{port}"];
    let launch = Launch::new(
        crate::support::program(),
        words.iter().chain(options).copied(),
    );
    Subject {
        origin: Origin::Spawn(Box::new(launch)),
        talk: Arc::new(file.talk),
        promise: file.promise,
        seed: 3,
    }
}

/// What the first stage says of each metric.
fn judged(base: &Subject, candidate: &Subject) -> [FirstStage; METRICS.len()] {
    let _alone = alone();
    let plan = DuetPlan {
        real: 8,
        control: 0,
        fresh: 0,
        planted: 0.5,
        warmup: Duration::from_millis(10),
        measured: Duration::from_millis(60),
        session: Duration::from_millis(100),
        patience: Duration::from_secs(10),
        workload: Workload {
            connections: 1,
            ..Workload::default()
        },
    };
    let interrupt = Interrupt::default();
    let sessions = Duet::new(Pair { base, candidate }, &plan, &interrupt, &|_| {}).first();
    assert!(sessions.broken.is_none(), "{:?}", sessions.broken);
    METRICS.map(|(metric, budget)| {
        let ratios = sessions.real.iter().map(|sample| sample.log_ratio(metric));
        Rule { budget }.first(&ratios.collect::<Vec<f64>>())
    })
}

#[test]
fn all_that_is_planted_is_seen() {
    if !is_thorough() {
        return;
    }
    let Some(python) = python() else { return };
    let seen = judged(&subject(python, &[]), &subject(python, &WORSE));
    assert_eq!(seen, [FirstStage::Suspect; METRICS.len()]);
}

#[test]
fn a_server_beside_itself_is_not_suspect() {
    if !is_thorough() {
        return;
    }
    let Some(python) = python() else { return };
    let server = subject(python, &WORSE[2..]);
    let seen = judged(&server, &server);
    for ((metric, _), seen) in METRICS.iter().zip(seen) {
        match metric {
            // These vary on a busy machine.
            Metric::StartTime | Metric::IdleCpu | Metric::IdleWakeups | Metric::ConnectionCpu => {
                assert_ne!(seen, FirstStage::Suspect, "{}", metric.name());
            }
            _ => assert_eq!(seen, FirstStage::Pass, "{}", metric.name()),
        }
    }
}
