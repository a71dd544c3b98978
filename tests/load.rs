//! `tcprove load`: every kind of load with every kind of frame, loads that must be reported as invalid, and messages
//! for wrong arguments. Nothing that depends on the machine's speed is asserted.

mod clock;
mod invalid;
mod kinds;
mod many;
mod mistakes;
mod notes;
mod observer;
pub(crate) mod parts;
mod talks;

use serde_json::Value;

use crate::support::{Bench, Ended};

/// A finished load and its report.
pub(crate) struct Loaded {
    pub(crate) ended: Ended,
    pub(crate) report: Value,
}

impl Loaded {
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let metric = &self.report["metrics"][name];
        metric
            .as_f64()
            .unwrap_or_else(|| panic!("no {name} in {}", self.ended.all()))
    }

    /// The ids of the reasons why the load is invalid.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let reasons = self.report["validity"]["reasons"].as_array();
        let reasons = reasons.unwrap_or_else(|| panic!("no reasons in {}", self.ended.all()));
        let word = |reason: &Value| {
            reason
                .as_str()
                .unwrap()
                .split(':')
                .next()
                .unwrap()
                .to_owned()
        };
        reasons.iter().map(word).collect()
    }

    /// Asserts that no reason concerns the server; disturbances by the machine are ignored.
    pub(crate) fn assert_sound(&self) {
        let ours = [
            "client-starved",
            "send-lag",
            "steal",
            "throttled",
            "not-stationary",
        ];
        let reasons = self.reasons();
        // A starved client does not reach its rate either.
        let starved = reasons.iter().any(|word| word == "client-starved");
        let others: Vec<&String> = reasons
            .iter()
            .filter(|word| !ours.contains(&word.as_str()))
            .filter(|word| !(starved && *word == "rate-not-reached"))
            .collect();
        assert!(others.is_empty(), "{}", self.ended.all());
        assert!(self.metric("ops") > 0.0);
        assert_eq!(self.report["metrics"]["wrong_replies"], 0);
        let valid = self.report["validity"]["valid"] == true;
        assert_eq!(
            self.ended.code,
            Some(if valid { 0 } else { 5 }),
            "{}",
            self.ended.all()
        );
    }
}

/// Runs `tcprove load` with these arguments.
pub(crate) fn load(arguments: &[&str]) -> Loaded {
    load_in(&Bench::new(), arguments)
}

pub(crate) fn load_in(bench: &Bench, arguments: &[&str]) -> Loaded {
    // Arguments after `--` are the server's command.
    let at = arguments
        .iter()
        .position(|word| *word == "--")
        .unwrap_or(arguments.len());
    let (ours, server) = arguments.split_at(at);
    let words = [
        &["load", "--json", "load.json", "--no-progress"],
        ours,
        server,
    ]
    .concat();
    let ended = bench.run(words);
    let report = bench.json("load.json");
    Loaded { ended, report }
}

/// A measured period of half a second and a short warm-up.
pub(crate) const SHORT: [&str; 4] = ["--duration", "500ms", "--warmup", "100ms"];
