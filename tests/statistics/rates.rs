//! How often the rule of the gate errs, on simulated sessions with a fixed seed.
//!
//! Sessions spread normally by 0.8 %; 3 % of them are wild and spread by 5 %. Plainly a few hundred runs of
//! each case, 20,000 with `TCPROVE_SLOW` set. What is expected comes from 400,000 runs of the same rule
//! written in numpy (`data/statistics.py rates`): it must lie in the exact 99.9 % interval of what is counted.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use tcprove::gate::rule::{
    CLEAR_BUDGETS, CONTROL_SESSIONS, CellVerdict, FIRST_SESSIONS, FirstStage, Rule, Void,
    second_sessions,
};
use tcprove::stats::{clopper_pearson, hodges_lehmann, median};

const RULE: Rule = Rule { budget: 0.02 };
/// Share of wild sessions.
const WILD: f64 = 0.03;

/// How sessions come.
pub(super) struct Sessions {
    random: Xoshiro256PlusPlus,
    spread: f64,
    /// How wild ones spread.
    wild: f64,
}

impl Sessions {
    fn usual(seed: u64) -> Self {
        Self {
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            spread: 0.008,
            wild: 0.05,
        }
    }

    pub(super) fn spread(seed: u64, spread: f64) -> Self {
        Self {
            spread,
            wild: spread * 6.0,
            ..Self::usual(seed)
        }
    }

    /// Above 0 and below 1.
    fn uniform(&mut self) -> f64 {
        ((self.random.next_u64() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// Standard normal (Box and Muller 1958).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Log ratios of `n` sessions around a change.
    pub(super) fn around(&mut self, log_ratio: f64, n: usize) -> Vec<f64> {
        (0..n)
            .map(|_| {
                let is_wild = self.uniform() < WILD;
                let spread = if is_wild { self.wild } else { self.spread };
                log_ratio + spread * self.normal()
            })
            .collect()
    }

    /// A whole run with a first stage of so many sessions; fresh ones only if they are asked for.
    fn run(&mut self, log_ratio: f64, first: usize) -> CellVerdict {
        match RULE.first(&self.around(log_ratio, first)) {
            FirstStage::Pass => CellVerdict::Pass,
            FirstStage::Inconclusive => CellVerdict::Inconclusive,
            FirstStage::Suspect => RULE.second(&self.around(log_ratio, second_sessions(first))),
        }
    }
}

pub(super) fn runs(plainly: u64) -> u64 {
    crate::support::share();
    match crate::support::skip::rounds() {
        0 => plainly,
        _ => 20_000,
    }
}

/// Says what was counted, and holds it against what is expected.
fn agrees(what: &str, count: u64, runs: u64, expected_pct: f64) {
    let pct = count as f64 * 100.0 / runs as f64;
    println!("{what}: {count} of {runs}, {pct:.2} %; expected {expected_pct} %");
    let interval = clopper_pearson(count, runs, 0.999).unwrap();
    assert!(
        (interval.low..=interval.high).contains(&(expected_pct / 100.0)),
        "{what}: {count} of {runs} is not {expected_pct} %"
    );
}

/// Verdicts of many runs.
#[derive(Default)]
struct Counted {
    runs: u64,
    passes: u64,
    fails: u64,
}

fn counted(seed: u64, plainly: u64, mut change: impl FnMut(&mut Sessions) -> f64) -> Counted {
    let mut sessions = Sessions::usual(seed);
    let mut counted = Counted {
        runs: runs(plainly),
        ..Counted::default()
    };
    for _ in 0..counted.runs {
        let log_ratio = change(&mut sessions);
        match sessions.run(log_ratio, FIRST_SESSIONS) {
            CellVerdict::Pass => counted.passes += 1,
            CellVerdict::Fail => counted.fails += 1,
            CellVerdict::Inconclusive => {}
        }
    }
    counted
}

#[test]
fn like_binaries_pass() {
    let got = counted(1, 600, |_| 0.0);
    assert_eq!(got.fails, 0);
    agrees("no change passes", got.passes, got.runs, 99.999);
}

/// The first stage ends early once each session so far is far beyond the budget, which is asked after every session. If
/// the true change is just that far, one run in 4,096 does so; if it is a budget, none does.
#[test]
fn an_early_end_is_no_false_alarm_however_often_it_is_asked() {
    let early = |seed: u64, log_ratio: f64| {
        let mut sessions = Sessions::usual(seed);
        let runs = runs(4_000);
        let ends = (0..runs).filter(|_| {
            let ratios = sessions.around(log_ratio, 2 * FIRST_SESSIONS);
            (1..=ratios.len()).any(|n| RULE.is_clear(&ratios[..n]))
        });
        (ends.count() as u64, runs)
    };
    assert_eq!(early(21, 0.0).0 + early(22, f64::ln_1p(0.02)).0, 0);
    let just = f64::ln_1p(CLEAR_BUDGETS * 0.02);
    let (ends, runs) = early(23, just);
    agrees("ten budgets worse ends early", ends, runs, 100.0 / 4_096.0);
    let (ends, runs) = early(24, 3.0 * just);
    assert_eq!(ends, runs);
}

#[test]
fn half_a_budget_passes_and_never_fails() {
    let got = counted(2, 300, |_| f64::ln_1p(0.01));
    assert_eq!(got.fails, 0);
    agrees("1 % worse passes", got.passes, got.runs, 99.778);
}

#[test]
fn a_budget_worse_fails_every_fourth_time() {
    let got = counted(3, 300, |_| f64::ln_1p(0.02));
    agrees("2 % worse fails", got.fails, got.runs, 24.935);
    agrees("2 % worse passes", got.passes, got.runs, 4.87);
}

#[test]
fn one_and_a_half_budgets_worse_fails() {
    let got = counted(4, 600, |_| f64::ln_1p(0.03));
    assert_eq!(got.passes, 0);
    agrees("3 % worse fails", got.fails, got.runs, 99.69);
}

#[test]
fn what_differs_between_runs_fails_like_binaries() {
    // Nothing within a run shows that the whole of it is shifted.
    let got = counted(5, 600, |sessions| 0.012 * sessions.normal());
    agrees(
        "no change, runs 1.2 % apart, fails",
        got.fails,
        got.runs,
        4.121,
    );
}

#[test]
fn a_blind_harness_is_voided_and_a_seeing_one_is_not() {
    let mut sessions = Sessions::usual(6);
    let runs = runs(1_000);
    let (mut blind, mut seeing) = (0, 0);
    for _ in 0..runs {
        let control = RULE.control(&sessions.around(0.0, CONTROL_SESSIONS));
        blind += u64::from(control.void == Some(Void::TooLittle));
        let control = RULE.control(&sessions.around(f64::ln_1p(0.02), CONTROL_SESSIONS));
        seeing += u64::from(control.void.is_some());
    }
    agrees("blind, voided", blind, runs, 99.96);
    agrees("seeing, voided", seeing, runs, 0.072);
}

#[test]
fn the_least_detectable_change_is_detected_four_times_in_five() {
    // Where the budget decides, where the bounds do, and between.
    for spread in [0.004, 0.008, 0.02, 0.06] {
        let mut sessions = Sessions::spread(7, spread);
        let seen: Vec<f64> = (0..150)
            .filter_map(|_| RULE.mde_pct(&sessions.around(0.0, FIRST_SESSIONS)))
            .collect();
        assert_eq!(seen.len(), 150);
        let typical = median(&seen).unwrap();
        let runs = runs(300);
        let fails = (0..runs)
            .filter(|_| {
                sessions.run(f64::ln_1p(typical / 100.0), FIRST_SESSIONS) == CellVerdict::Fail
            })
            .count();
        let pct = fails as f64 * 100.0 / runs as f64;
        println!(
            "spread {spread}: {typical:.2} % is the least detectable, and fails in {pct:.1} %"
        );
        assert!(
            (70.0..=87.0).contains(&pct),
            "{spread}: {pct} % of runs fail"
        );
    }
}

#[test]
fn as_many_sessions_as_it_takes_settle_it_four_times_in_five() {
    for (change, spread) in [(0.015, 0.015), (0.0, 0.04), (0.026, 0.02), (0.04, 0.05)] {
        let change = f64::ln_1p(change);
        let mut sessions = Sessions::spread(8, spread);
        let asked: Vec<f64> = (0..50)
            .map(|_| {
                // Moved to where the estimate is right: how many it takes is asked, not what luck does.
                let mut seen = sessions.around(0.0, FIRST_SESSIONS);
                let off = hodges_lehmann(&seen, 0.95).unwrap().estimate - change;
                seen.iter_mut().for_each(|ratio| *ratio -= off);
                RULE.sessions_to_settle(&seen, FIRST_SESSIONS).unwrap() as f64
            })
            .collect();
        let enough = median(&asked).unwrap() as usize;
        let runs = runs(400) / 4;
        let settled = (0..runs)
            .filter(|_| sessions.run(change, enough) != CellVerdict::Inconclusive)
            .count();
        let pct = settled as f64 * 100.0 / runs as f64;
        println!("{change:.3}, spread {spread}: {enough} sessions settle {pct:.1} %");
        assert!(
            (70.0..=90.0).contains(&pct),
            "{spread}: {pct} % of runs are settled"
        );
    }
}
