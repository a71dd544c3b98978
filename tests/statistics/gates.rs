//! How often several gates that are merged err, on simulated sessions with a fixed seed.
//!
//! Sessions spread as in `rates.rs`. Gates differ besides: each has a machine of its own, which shifts all of its sessions
//! alike. A gate runs fresh sessions where its own first stage is suspect, as real ones do.

use tcprove::gate::rule::{CellVerdict, FIRST_SESSIONS, FirstStage, Rule, second_sessions};

use super::rates::{Sessions, runs};
use crate::support::skip::{is_slow, is_thorough};

const RULE: Rule = Rule { budget: 0.02 };

/// Gates of a simulated world.
struct Gates {
    sessions: Sessions,
    /// Standard deviation of what the machine of a gate adds.
    machines: f64,
}

/// How often gates failed and passed.
#[derive(Debug, Default)]
struct Verdicts {
    runs: u64,
    failed: u64,
    passed: u64,
}

impl Verdicts {
    fn failed_pct(&self) -> f64 {
        100.0 * self.failed as f64 / self.runs as f64
    }

    fn passed_pct(&self) -> f64 {
        100.0 * self.passed as f64 / self.runs as f64
    }
}

impl Gates {
    fn new(spread: f64, machines: f64) -> Self {
        Self {
            sessions: Sessions::spread(11, spread),
            machines,
        }
    }

    /// First stage and fresh sessions of a gate.
    fn gate(&mut self, log_ratio: f64) -> (Vec<f64>, Vec<f64>) {
        let here = log_ratio + self.machines * self.sessions.normal();
        let first = self.sessions.around(here, FIRST_SESSIONS);
        let fresh = match RULE.first(&first) {
            FirstStage::Suspect => second_sessions(FIRST_SESSIONS),
            _ => 0,
        };
        let fresh = self.sessions.around(here, fresh);
        (first, fresh)
    }

    /// The verdicts on so many gates together, with a change in percent.
    fn verdicts(&mut self, gates: usize, percent: f64, plainly: u64) -> Verdicts {
        self.some(gates, percent, runs(plainly).min(2_000))
    }

    fn some(&mut self, gates: usize, percent: f64, runs: u64) -> Verdicts {
        let mut verdicts = Verdicts::default();
        for _ in 0..runs {
            let log_ratio = (percent / 100.0).ln_1p();
            let verdict = if gates == 1 {
                let (first, fresh) = self.gate(log_ratio);
                RULE.compare(&first, &fresh).verdict
            } else {
                let all: Vec<Vec<f64>> = (0..gates)
                    .map(|_| {
                        let (first, fresh) = self.gate(log_ratio);
                        [first, fresh].concat()
                    })
                    .collect();
                RULE.compare_gates(&all).verdict
            };
            verdicts.runs += 1;
            verdicts.failed += u64::from(verdict == CellVerdict::Fail);
            verdicts.passed += u64::from(verdict == CellVerdict::Pass);
        }
        verdicts
    }
}

/// Quiet machines, and noisy ones that differ from each other by as much as a budget.
const WORLDS: [(f64, f64); 2] = [(0.008, 0.003), (0.03, 0.02)];

#[test]
fn merged_gates_raise_no_more_false_alarms_than_one() {
    if !is_thorough() {
        return;
    }
    for (spread, machines) in WORLDS {
        for percent in [0.0, 1.0, 1.5] {
            let failed = |gates| {
                let mut world = Gates::new(spread, machines);
                world.verdicts(gates, percent, 150).failed_pct()
            };
            let [one, two, four] = [1, 2, 4].map(failed);
            println!(
                "spread {spread}, machines {machines}, change {percent} %: failed {one:.2} % of one, {two:.2} % of 2, {four:.2} % of 4 gates"
            );
            assert!(two <= one && four <= one);
        }
    }
}

#[test]
fn merged_gates_find_more() {
    if !is_thorough() {
        return;
    }
    for ((spread, machines), percent) in WORLDS.into_iter().zip([2.5, 4.5]) {
        let failed = |gates| {
            let mut world = Gates::new(spread, machines);
            world.verdicts(gates, percent, 100).failed_pct()
        };
        let [one, two, four] = [1, 2, 4].map(failed);
        println!(
            "spread {spread}, machines {machines}: {percent} % found in {one:.1} % by one, in {two:.1} % by 2, in {four:.1} % by 4 gates"
        );
        // Two confirm each other on different machines, which one gate does not have to.
        assert!(four > one, "{one} {two} {four}");
    }
}

/// The smallest change that is found in four of five runs; the figures of docs/scale.md.
#[test]
fn merged_gates_find_smaller_changes() {
    if !is_slow("many simulated gates") {
        return;
    }
    for (spread, machines) in WORLDS {
        let found = |gates| {
            let changes = (20..120).map(|tenths| f64::from(tenths) / 10.0);
            { changes }.find(|percent| {
                let mut world = Gates::new(spread, machines);
                world.some(gates, *percent, 400).failed_pct() >= 80.0
            })
        };
        let [one, two, four, eight] = [1, 2, 4, 8].map(found);
        println!(
            "spread {spread}, machines {machines}: found from {one:?} % by one, {two:?} % by 2, {four:?} % by 4, {eight:?} % by 8 gates"
        );
        assert!(four < one && eight <= four);
    }
}

#[test]
fn merged_gates_pass_more_often_and_never_what_is_at_the_budget() {
    if !is_thorough() {
        return;
    }
    for gates in [2, 4] {
        let mut world = Gates::new(0.03, 0.0);
        let at_budget = world.verdicts(gates, 2.0, 150);
        let unchanged = |gates| Gates::new(0.03, 0.0).verdicts(gates, 0.0, 80).passed_pct();
        let (one, all) = (unchanged(1), unchanged(gates));
        println!(
            "{gates} gates: {:.2} % passed at the budget; unchanged ones pass in {all:.1} %, and one gate in {one:.1} %",
            at_budget.passed_pct()
        );
        // The bound is one of 95 %.
        assert!(at_budget.passed_pct() < 7.5, "{at_budget:?}");
        assert!(all > one);
    }
}
