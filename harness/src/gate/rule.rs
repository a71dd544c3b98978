//! The rule of the gate, in two stages, with a control. Pure: log ratios in, verdicts out.
//!
//! Each session gives one number for a metric: ln(candidate / base), of a figure where more is worse,
//! such as CPU time per operation. What such numbers centre on is estimated by ranks, so that a few wild
//! sessions do not move it (Hodges and Lehmann 1963; the bounds: Hollander and Wolfe, Nonparametric
//! Statistical Methods, 3.2 and 3.3). A metric fails if it is over its budget in a first stage of sessions
//! and once more, by itself, in fresh ones: so nothing needs to be made up for looking at several metrics.
//!
//! How often the rule errs is measured by `tests/statistics.rs`.

use serde::Serialize;

use crate::stats::{hodges_lehmann, one_sided};

/// Sessions of the first stage in a usual run.
pub const FIRST_SESSIONS: usize = 20;
/// Control sessions in a usual run.
pub const CONTROL_SESSIONS: usize = 10;
/// With fewer control sessions than this the control says nothing.
pub const CONTROL_LEAST: usize = 5;

/// Confidence of the lower bound that makes a metric suspect.
pub(super) const SUSPECT_LEVEL: f64 = 0.99;
/// Confidence of the lower bound that confirms it, of the upper bound that clears it, and of both ends of
/// what is reported.
pub(super) const LEVEL: f64 = 0.95;

/// How many fresh sessions a suspect metric is given after `first` sessions of the first stage: three fifths
/// as many, 12 after 20, and never fewer than 12.
pub fn second_sessions(first: usize) -> usize {
    (first * 3).div_ceil(5).max(12)
}

/// The rule for one metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rule {
    /// By how much the candidate may be worse, as a share of the base: 0.02 is 2 %. Above 0.
    pub budget: f64,
}

/// What the first stage says of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum First {
    /// It is surely within its budget.
    Pass,
    /// It looks worse than its budget: fresh sessions decide.
    Suspect,
    /// Neither; also where there are too few sessions for a bound.
    Inconclusive,
}

/// What the gate says of a metric in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is surely within its budget.
    Pass,
    /// It is worse than its budget, in both stages.
    Fail,
    /// Neither could be shown.
    Inconclusive,
}

/// What the control came to. Base ran against base, and one of them was given more work by a budget's
/// worth: a harness that does not see this would see no change of the candidate either.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Control {
    /// What was planted, in percent: the budget.
    pub planted_pct: f64,
    /// What was seen of it, in percent; `None` of no sessions.
    pub seen_pct: Option<f64>,
    /// How many control sessions there were.
    pub sessions: usize,
    /// Why no verdict of the run can be trusted; `None` if the control saw what was planted.
    pub void: Option<Void>,
}

/// Why a control is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Void {
    /// Too few control sessions, fewer than [`CONTROL_LEAST`].
    TooFew,
    /// A session gave no number, such as one in which no CPU time was seen.
    NoNumber,
    /// Less was seen than what was planted, by more than half a budget: the harness is blind.
    TooLittle,
    /// More was seen than what was planted, by more than half a budget: the machine is too noisy, or
    /// one place is worse than the other.
    TooMuch,
}

/// What a run says of one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    /// What the gate says.
    pub verdict: Verdict,
    /// The Hodges-Lehmann estimate of the change, in percent of the base; above 0 the candidate is worse.
    /// Of the fresh sessions if the metric was suspect, for it was suspected because the first ones were
    /// high; else of the first stage. `None` of no sessions.
    pub estimate_pct: Option<f64>,
    /// The lower one-sided 95 % bound of the same sessions, in percent; `None` of fewer than five.
    pub low_pct: Option<f64>,
    /// The upper one-sided 95 % bound of the same sessions, in percent. It and the lower one are two
    /// one-sided bounds: the change lies between them with 90 %.
    pub high_pct: Option<f64>,
    /// By how much the candidate may be worse, in percent.
    pub budget_pct: f64,
    /// Sessions of the first stage.
    pub sessions: usize,
    /// Fresh sessions that decided about a suspect metric; 0 if it was not suspect.
    pub fresh_sessions: usize,
    /// The smallest true change, in percent, that such a run fails with about 80 %, given the spread of
    /// its sessions: see [`Rule::mde_pct`].
    pub mde_pct: Option<f64>,
    /// If inconclusive: how many sessions of the first stage would settle it with about 80 %, if the change
    /// is what it seems to be: see [`Rule::sessions_to_settle`].
    pub sessions_to_settle: Option<usize>,
}

impl Rule {
    /// The budget as a log ratio.
    pub(super) fn limit(self) -> f64 {
        self.budget.ln_1p()
    }

    /// Half of the budget as a log ratio.
    pub(super) fn half(self) -> f64 {
        (self.budget / 2.0).ln_1p()
    }

    /// Judges the first stage by its log ratios: suspect if the estimate is above the budget and its lower
    /// 99 % bound above half of it; passed if its upper 95 % bound is below the budget. What has no bound,
    /// since it has too few sessions or one that is not a number, is neither: seven sessions can be
    /// suspect, five can pass.
    pub fn first(self, log_ratios: &[f64]) -> First {
        if self.exceeded(log_ratios, SUSPECT_LEVEL) {
            return First::Suspect;
        }
        match one_sided(log_ratios, LEVEL) {
            Some(bounds) if bounds.high < self.limit() => First::Pass,
            _ => First::Inconclusive,
        }
    }

    /// Judges the fresh sessions of a metric that was suspect: failed if the estimate is above the budget
    /// and its lower 95 % bound above half of it, else inconclusive. It cannot pass any more.
    pub fn second(self, log_ratios: &[f64]) -> Verdict {
        if self.exceeded(log_ratios, LEVEL) {
            Verdict::Fail
        } else {
            Verdict::Inconclusive
        }
    }

    fn exceeded(self, log_ratios: &[f64], level: f64) -> bool {
        one_sided(log_ratios, level)
            .is_some_and(|bounds| bounds.estimate > self.limit() && bounds.low > self.half())
    }

    /// Judges the control sessions, each the log ratio of the side that was given more work over the other:
    /// void if what they centre on is not what was planted, give or take half a budget, and if there are
    /// too few.
    pub fn control(self, log_ratios: &[f64]) -> Control {
        let seen = hodges_lehmann(log_ratios, LEVEL).map(|interval| interval.estimate);
        let off = seen.map_or(f64::NAN, |seen| seen - self.limit());
        let void = if log_ratios.len() < CONTROL_LEAST {
            Some(Void::TooFew)
        } else if log_ratios.iter().any(|ratio| !ratio.is_finite()) {
            Some(Void::NoNumber)
        } else if off < -self.half() {
            Some(Void::TooLittle)
        } else if off > self.half() {
            Some(Void::TooMuch)
        } else {
            None
        };
        Control {
            planted_pct: self.budget * 100.0,
            seen_pct: finite_percent(seen),
            sessions: log_ratios.len(),
            void,
        }
    }

    /// Judges a metric by the log ratios of both stages. Those of fresh sessions count only if the first
    /// stage was suspect, which is when they are run; without any, a suspect metric is inconclusive.
    pub fn cell(self, first: &[f64], fresh: &[f64]) -> Cell {
        let (verdict, fresh) = match self.first(first) {
            First::Pass => (Verdict::Pass, &[][..]),
            First::Inconclusive => (Verdict::Inconclusive, &[][..]),
            First::Suspect => (self.second(fresh), fresh),
        };
        let decisive = if fresh.is_empty() { first } else { fresh };
        let estimate = hodges_lehmann(decisive, LEVEL).map(|interval| interval.estimate);
        let bounds = one_sided(decisive, LEVEL);
        let open = verdict == Verdict::Inconclusive;
        Cell {
            verdict,
            estimate_pct: finite_percent(estimate),
            low_pct: finite_percent(bounds.map(|bounds| bounds.low)),
            high_pct: finite_percent(bounds.map(|bounds| bounds.high)),
            budget_pct: self.budget * 100.0,
            sessions: first.len(),
            fresh_sessions: fresh.len(),
            mde_pct: self.mde_pct(first),
            sessions_to_settle: open
                .then(|| self.sessions_to_settle(decisive, first.len()))
                .flatten(),
        }
    }
}

/// A log ratio as a change in percent.
pub(super) fn percent(log_ratio: f64) -> f64 {
    log_ratio.exp_m1() * 100.0
}

fn finite_percent(log_ratio: Option<f64>) -> Option<f64> {
    log_ratio.map(percent).filter(|percent| percent.is_finite())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULE: Rule = Rule { budget: 0.02 };

    /// Log ratios around a change in percent, spread by about 0.5 %.
    fn around(pct: f64, n: usize) -> Vec<f64> {
        let centre = (pct / 100.0).ln_1p();
        (0..n)
            .map(|place| centre + 0.008 * ((place as f64 + 0.5) / n as f64 - 0.5))
            .collect()
    }

    #[test]
    fn the_usual_numbers_of_sessions() {
        let given: Vec<usize> = [0, 7, 20, 21, 40].map(second_sessions).to_vec();
        assert_eq!(given, [12, 12, 12, 13, 24]);
    }

    #[test]
    fn a_bound_that_cannot_be_had_decides_nothing() {
        assert_eq!(RULE.first(&around(10.0, 6)), First::Inconclusive);
        assert_eq!(RULE.first(&around(10.0, 7)), First::Suspect);
        assert_eq!(RULE.first(&around(0.0, 4)), First::Inconclusive);
        assert_eq!(RULE.first(&around(0.0, 5)), First::Pass);
        assert_eq!(RULE.second(&around(10.0, 4)), Verdict::Inconclusive);
        assert_eq!(RULE.second(&around(10.0, 5)), Verdict::Fail);
        assert_eq!(RULE.first(&[]), First::Inconclusive);
    }

    #[test]
    fn an_estimate_above_the_budget_is_not_enough() {
        // Around 3 %: lower bounds of 95 and 99 % are 2.23 and 1.92 % of values that spread over 6 %, then
        // 1.34 and 0.68 % over 13 %, then 0.96 and 0.16 % over 16 %.
        let judged = |width: f64| {
            let centre = f64::ln_1p(0.03);
            let wide = |ratio: f64| centre + (ratio - centre) * width / 0.008;
            let ratios: Vec<f64> = around(3.0, 20).into_iter().map(wide).collect();
            (RULE.first(&ratios), RULE.second(&ratios))
        };
        assert_eq!(judged(0.06), (First::Suspect, Verdict::Fail));
        assert_eq!(judged(0.13), (First::Inconclusive, Verdict::Fail));
        assert_eq!(judged(0.16), (First::Inconclusive, Verdict::Inconclusive));
    }

    #[test]
    fn a_session_without_a_number_decides_nothing() {
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let with = |pct: f64| [around(pct, 20), vec![odd]].concat();
            assert_eq!(RULE.first(&with(0.0)), First::Inconclusive, "{odd}");
            assert_eq!(RULE.first(&with(9.0)), First::Inconclusive, "{odd}");
            assert_eq!(RULE.second(&with(9.0)), Verdict::Inconclusive, "{odd}");
            assert_eq!(RULE.control(&with(2.0)).void, Some(Void::NoNumber), "{odd}");
            let cell = RULE.cell(&with(0.0), &[]);
            assert_eq!((cell.low_pct, cell.mde_pct), (None, None), "{odd}");
        }
    }

    #[test]
    fn the_control_has_to_see_what_was_planted() {
        let void = |pct: f64| RULE.control(&around(pct, CONTROL_SESSIONS)).void;
        assert_eq!(void(2.0), None);
        assert_eq!((void(1.05), void(2.95)), (None, None));
        assert_eq!(void(0.95), Some(Void::TooLittle));
        assert_eq!(void(3.1), Some(Void::TooMuch));
        assert_eq!(RULE.control(&around(2.0, 5)).void, None);
        assert_eq!(RULE.control(&around(2.0, 4)).void, Some(Void::TooFew));
        let none = RULE.control(&[]);
        assert_eq!((none.void, none.seen_pct), (Some(Void::TooFew), None));
        let seen = RULE.control(&around(2.0, CONTROL_SESSIONS));
        assert!((seen.seen_pct.unwrap() - 2.0).abs() < 1e-9 && seen.planted_pct == 2.0);
    }

    #[test]
    fn a_cell_says_what_decided() {
        let passed = RULE.cell(&around(0.0, 20), &around(9.0, 12));
        assert_eq!((passed.verdict, passed.fresh_sessions), (Verdict::Pass, 0));
        assert!(passed.estimate_pct.unwrap().abs() < 1e-9);
        assert!(passed.high_pct.unwrap() < 2.0 && passed.sessions_to_settle.is_none());
        let failed = RULE.cell(&around(4.0, 20), &around(3.0, 12));
        assert_eq!((failed.verdict, failed.fresh_sessions), (Verdict::Fail, 12));
        assert!((failed.estimate_pct.unwrap() - 3.0).abs() < 1e-9);
        let chance = RULE.cell(&around(4.0, 20), &around(1.0, 12));
        assert_eq!(chance.verdict, Verdict::Inconclusive);
        assert!(chance.sessions_to_settle.unwrap() > 20);
        let unasked = RULE.cell(&around(4.0, 20), &[]);
        assert_eq!(unasked.verdict, Verdict::Inconclusive);
        let json = serde_json::to_value(&failed).unwrap();
        assert_eq!(
            (&json["verdict"], &json["budget_pct"]),
            (&"fail".into(), &2.0.into())
        );
    }

    /// How bad it is.
    fn rank(verdict: Verdict) -> u8 {
        match verdict {
            Verdict::Pass => 0,
            Verdict::Inconclusive => 1,
            Verdict::Fail => 2,
        }
    }

    fn ratios() -> impl Strategy<Value = Vec<f64>> {
        (
            -0.03..0.08_f64,
            prop::collection::vec(-0.02..0.02_f64, 0..24),
        )
            .prop_map(|(centre, around)| around.iter().map(|by| centre + by).collect())
    }

    proptest! {
        #[test]
        fn worse_sessions_never_make_a_better_verdict(
            first in ratios(),
            fresh in ratios(),
            by in prop::collection::vec(0.0..0.05_f64, 48),
        ) {
            let raised = |values: &[f64], by: &[f64]| -> Vec<f64> {
                values.iter().zip(by).map(|(value, by)| value + by).collect()
            };
            let here = RULE.cell(&first, &fresh).verdict;
            let there = RULE.cell(&raised(&first, &by[..24]), &raised(&fresh, &by[24..])).verdict;
            prop_assert!(rank(there) >= rank(here), "{here:?} became {there:?}");
        }

        #[test]
        fn a_larger_budget_never_makes_a_worse_verdict(first in ratios(), fresh in ratios(), more in 0.0..0.1_f64) {
            let here = RULE.cell(&first, &fresh).verdict;
            let there = Rule { budget: RULE.budget + more }.cell(&first, &fresh).verdict;
            prop_assert!(rank(there) <= rank(here), "{here:?} became {there:?}");
        }

        #[test]
        fn the_order_of_sessions_means_nothing(first in ratios(), fresh in ratios(), seed in any::<u64>()) {
            let shuffled = |values: &[f64]| {
                let mut keyed: Vec<(u64, f64)> = values
                    .iter()
                    .enumerate()
                    .map(|(place, value)| ((place as u64 + 1).wrapping_mul(seed | 1).rotate_left(17), *value))
                    .collect();
                keyed.sort_by_key(|(key, _)| *key);
                keyed.into_iter().map(|(_, value)| value).collect::<Vec<f64>>()
            };
            let (first_too, fresh_too) = (shuffled(&first), shuffled(&fresh));
            prop_assert_eq!(RULE.cell(&first, &fresh), RULE.cell(&first_too, &fresh_too));
            prop_assert_eq!(RULE.control(&first), RULE.control(&first_too));
        }

        #[test]
        fn what_is_symmetric_around_nothing_is_never_suspect(half in prop::collection::vec(0.0..0.5_f64, 0..12), budget in 0.0..0.1_f64) {
            let both: Vec<f64> = half.iter().flat_map(|value| [*value, -*value]).collect();
            let rule = Rule { budget };
            prop_assert_ne!(rule.first(&both), First::Suspect);
            prop_assert_ne!(rule.second(&both), Verdict::Fail);
        }

        #[test]
        fn what_is_said_fits_together(first in ratios(), fresh in ratios()) {
            let cell = RULE.cell(&first, &fresh);
            if let (Some(low), Some(estimate), Some(high)) = (cell.low_pct, cell.estimate_pct, cell.high_pct) {
                prop_assert!(low <= estimate && estimate <= high);
            }
            match cell.verdict {
                Verdict::Pass => prop_assert!(cell.high_pct.unwrap() < cell.budget_pct),
                Verdict::Fail => prop_assert!(cell.estimate_pct.unwrap() > 2.0 && cell.low_pct.unwrap() > 1.0),
                Verdict::Inconclusive => {}
            }
            prop_assert!(cell.sessions_to_settle.is_none_or(|n| n > first.len()));
            prop_assert!(cell.verdict == Verdict::Inconclusive || cell.sessions_to_settle.is_none());
        }
    }
}
