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

use crate::support::{alone, data, python};

/// What is planted, in all metrics at once: `tests/data/slowed_line.py` explains the options.
const WORSE: [&str; 6] = ["--start", "300", "--descriptors", "20", "--threads", "9"];
/// The metrics and a budget for each.
const METRICS: [(Metric, f64); 3] = [
    (Metric::StartTime, 0.5),
    (Metric::Descriptors, 0.1),
    (Metric::Threads, 0.1),
];

fn subject(python: &str, options: &[&str]) -> Subject {
    let file = tcprove::file::builtin("line").unwrap();
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
fn judged(base: &Subject, candidate: &Subject) -> [FirstStage; 3] {
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
fn a_slower_start_and_more_descriptors_and_threads_are_seen() {
    let Some(python) = python() else { return };
    let seen = judged(&subject(python, &[]), &subject(python, &WORSE));
    assert_eq!(seen, [FirstStage::Suspect; 3]);
}

#[test]
fn equal_descriptors_and_threads_pass_and_equal_starts_are_not_suspect() {
    let Some(python) = python() else { return };
    let server = subject(python, &WORSE[2..]);
    let [start, descriptors, threads] = judged(&server, &server);
    assert_eq!([descriptors, threads], [FirstStage::Pass; 2]);
    // Starts vary on a busy machine.
    assert_ne!(start, FirstStage::Suspect);
}
