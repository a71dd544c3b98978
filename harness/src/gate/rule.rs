//! The decision rule of the gate: two stages and a control. Pure: log ratios in, verdicts out.
//!
//! Each session gives one log ratio per metric: ln(candidate / base) of a figure where lower is better, such as CPU
//! time per operation. The centre of the log ratios is estimated by ranks, so that a few outliers do not move it
//! (Hodges and Lehmann 1963; the bounds: Hollander and Wolfe, Nonparametric Statistical Methods, 3.2 and 3.3). A
//! metric fails if it exceeds its budget in a first stage of sessions and again in fresh sessions alone. The
//! confirmation makes a correction for multiple metrics unnecessary.
//!
//! `tests/statistics.rs` measures the error rates of the rule.

use serde::Serialize;

use crate::stats::{hodges_lehmann, one_sided};

/// Usual number of sessions in the first stage.
pub const FIRST_SESSIONS: usize = 20;
/// Usual number of control sessions.
pub const CONTROL_SESSIONS: usize = 10;
/// Minimum number of control sessions for a valid control.
pub const CONTROL_LEAST: usize = 5;

/// Confidence level of the lower bound that makes a metric suspect.
const SUSPECT_LEVEL: f64 = 0.99;
/// Confidence level of the lower bound that confirms a suspect metric, of the upper bound that passes one, and of
/// both reported bounds.
pub(super) const LEVEL: f64 = 0.95;

/// Number of fresh sessions for a suspect metric after `first` sessions of the first stage: three fifths of them, but
/// at least 12.
pub fn second_sessions(first: usize) -> usize {
    (first * 3).div_ceil(5).max(12)
}

/// The rule for one metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rule {
    /// How much worse the candidate may be, as a share of the base: 0.02 is 2 %. Must be above 0.
    pub budget: f64,
}

/// The outcome of the first stage for a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirstStage {
    /// Its upper bound is below the budget.
    Pass,
    /// It appears to exceed the budget: fresh sessions decide.
    Suspect,
    /// Neither, or too few sessions for a bound.
    Inconclusive,
}

/// The verdict on one metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CellVerdict {
    /// Its upper bound is below the budget.
    Pass,
    /// It exceeds the budget in both stages.
    Fail,
    /// Neither could be shown.
    Inconclusive,
}

/// The result of the control: base ran against base, and one of them was given extra work worth one budget. A harness
/// that does not detect this would not detect a regression of the candidate either.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Control {
    /// The planted extra work in percent: the budget.
    pub planted_pct: f64,
    /// The measured extra work in percent; `None` without sessions.
    pub seen_pct: Option<f64>,
    /// Number of control sessions.
    pub sessions: usize,
    /// Why no verdict of the run can be trusted; `None` if the control detected the planted work.
    pub void: Option<Void>,
}

/// Why a control is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Void {
    /// Fewer than [`CONTROL_LEAST`] control sessions.
    TooFew,
    /// A session gave no finite log ratio, such as one that measured no CPU time.
    NoNumber,
    /// The measured extra work is too small by more than half a budget: the harness is blind.
    TooLittle,
    /// The measured extra work is too large by more than half a budget: the machine is too noisy, or it treats the
    /// two sides differently.
    TooMuch,
}

/// Base and candidate compared by one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The verdict.
    pub verdict: CellVerdict,
    /// The Hodges-Lehmann estimate of the change, in percent of the base; above 0 the candidate is worse. It is
    /// taken from the fresh sessions if the metric was suspect, since the first stage is then biased upwards; from
    /// the first stage otherwise. `None` without sessions.
    pub estimate_pct: Option<f64>,
    /// The lower one-sided 95 % bound of the same sessions, in percent; `None` with fewer than five sessions.
    pub low_pct: Option<f64>,
    /// The upper one-sided 95 % bound of the same sessions, in percent. The two bounds together are a 90 %
    /// confidence interval.
    pub high_pct: Option<f64>,
    /// How much worse the candidate may be, in percent.
    pub budget_pct: f64,
    /// Sessions of the first stage.
    pub sessions: usize,
    /// Fresh sessions; 0 if the metric was not suspect.
    pub fresh_sessions: usize,
    /// The minimum detectable effect in percent: the smallest true change that such a run detects with a power of
    /// about 80 %, given the spread of its sessions.
    pub mde_pct: Option<f64>,
    /// If inconclusive: the sessions of the first stage that would give a verdict with a probability of about 80 %,
    /// if the true change is the estimate.
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

    /// Judges the first stage by its log ratios: suspect if the estimate is above the budget and its lower 99 % bound
    /// above half the budget; passed if the upper 95 % bound is below the budget. Without a bound it is inconclusive:
    /// suspicion takes at least seven sessions, a pass at least five, and all log ratios must be finite.
    pub fn first(self, log_ratios: &[f64]) -> FirstStage {
        if self.exceeded(log_ratios, SUSPECT_LEVEL) {
            return FirstStage::Suspect;
        }
        match one_sided(log_ratios, LEVEL) {
            Some(bounds) if bounds.high < self.limit() => FirstStage::Pass,
            _ => FirstStage::Inconclusive,
        }
    }

    /// Judges the fresh sessions of a suspect metric: failed if the estimate is above the budget and its lower 95 %
    /// bound above half the budget, otherwise inconclusive. A suspect metric cannot pass.
    pub fn second(self, log_ratios: &[f64]) -> CellVerdict {
        if self.exceeded(log_ratios, LEVEL) {
            CellVerdict::Fail
        } else {
            CellVerdict::Inconclusive
        }
    }

    fn exceeded(self, log_ratios: &[f64], level: f64) -> bool {
        one_sided(log_ratios, level)
            .is_some_and(|bounds| bounds.estimate > self.limit() && bounds.low > self.half())
    }

    /// Judges the control by its log ratios, side with extra work over the other side: void if their centre differs
    /// from the planted work by more than half a budget, or if there are too few.
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

    /// Judges a metric by the log ratios of both stages. Fresh sessions count only if the first stage was suspect; a
    /// suspect metric without fresh sessions is inconclusive.
    pub fn compare(self, first: &[f64], fresh: &[f64]) -> Comparison {
        let (verdict, fresh) = match self.first(first) {
            FirstStage::Pass => (CellVerdict::Pass, &[][..]),
            FirstStage::Inconclusive => (CellVerdict::Inconclusive, &[][..]),
            FirstStage::Suspect => (self.second(fresh), fresh),
        };
        let decisive = if fresh.is_empty() { first } else { fresh };
        let estimate = hodges_lehmann(decisive, LEVEL).map(|interval| interval.estimate);
        let bounds = one_sided(decisive, LEVEL);
        let open = verdict == CellVerdict::Inconclusive;
        Comparison {
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
        assert_eq!(RULE.first(&around(10.0, 6)), FirstStage::Inconclusive);
        assert_eq!(RULE.first(&around(10.0, 7)), FirstStage::Suspect);
        assert_eq!(RULE.first(&around(0.0, 4)), FirstStage::Inconclusive);
        assert_eq!(RULE.first(&around(0.0, 5)), FirstStage::Pass);
        assert_eq!(RULE.second(&around(10.0, 4)), CellVerdict::Inconclusive);
        assert_eq!(RULE.second(&around(10.0, 5)), CellVerdict::Fail);
        assert_eq!(RULE.first(&[]), FirstStage::Inconclusive);
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
        assert_eq!(judged(0.06), (FirstStage::Suspect, CellVerdict::Fail));
        assert_eq!(judged(0.13), (FirstStage::Inconclusive, CellVerdict::Fail));
        assert_eq!(
            judged(0.16),
            (FirstStage::Inconclusive, CellVerdict::Inconclusive)
        );
    }

    #[test]
    fn a_session_without_a_number_decides_nothing() {
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let with = |pct: f64| [around(pct, 20), vec![odd]].concat();
            assert_eq!(RULE.first(&with(0.0)), FirstStage::Inconclusive, "{odd}");
            assert_eq!(RULE.first(&with(9.0)), FirstStage::Inconclusive, "{odd}");
            assert_eq!(RULE.second(&with(9.0)), CellVerdict::Inconclusive, "{odd}");
            assert_eq!(RULE.control(&with(2.0)).void, Some(Void::NoNumber), "{odd}");
            let cell = RULE.compare(&with(0.0), &[]);
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
        let passed = RULE.compare(&around(0.0, 20), &around(9.0, 12));
        assert_eq!(
            (passed.verdict, passed.fresh_sessions),
            (CellVerdict::Pass, 0)
        );
        assert!(passed.estimate_pct.unwrap().abs() < 1e-9);
        assert!(passed.high_pct.unwrap() < 2.0 && passed.sessions_to_settle.is_none());
        let failed = RULE.compare(&around(4.0, 20), &around(3.0, 12));
        assert_eq!(
            (failed.verdict, failed.fresh_sessions),
            (CellVerdict::Fail, 12)
        );
        assert!((failed.estimate_pct.unwrap() - 3.0).abs() < 1e-9);
        let chance = RULE.compare(&around(4.0, 20), &around(1.0, 12));
        assert_eq!(chance.verdict, CellVerdict::Inconclusive);
        assert!(chance.sessions_to_settle.unwrap() > 20);
        let unasked = RULE.compare(&around(4.0, 20), &[]);
        assert_eq!(unasked.verdict, CellVerdict::Inconclusive);
        let json = serde_json::to_value(&failed).unwrap();
        assert_eq!(
            (&json["verdict"], &json["budget_pct"]),
            (&"fail".into(), &2.0.into())
        );
    }

    /// Severity.
    fn rank(verdict: CellVerdict) -> u8 {
        match verdict {
            CellVerdict::Pass => 0,
            CellVerdict::Inconclusive => 1,
            CellVerdict::Fail => 2,
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
            let here = RULE.compare(&first, &fresh).verdict;
            let there = RULE.compare(&raised(&first, &by[..24]), &raised(&fresh, &by[24..])).verdict;
            prop_assert!(rank(there) >= rank(here), "{here:?} became {there:?}");
        }

        #[test]
        fn a_larger_budget_never_makes_a_worse_verdict(first in ratios(), fresh in ratios(), more in 0.0..0.1_f64) {
            let here = RULE.compare(&first, &fresh).verdict;
            let there = Rule { budget: RULE.budget + more }.compare(&first, &fresh).verdict;
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
            prop_assert_eq!(RULE.compare(&first, &fresh), RULE.compare(&first_too, &fresh_too));
            prop_assert_eq!(RULE.control(&first), RULE.control(&first_too));
        }

        #[test]
        fn what_is_symmetric_around_nothing_is_never_suspect(half in prop::collection::vec(0.0..0.5_f64, 0..12), budget in 0.0..0.1_f64) {
            let both: Vec<f64> = half.iter().flat_map(|value| [*value, -*value]).collect();
            let rule = Rule { budget };
            prop_assert_ne!(rule.first(&both), FirstStage::Suspect);
            prop_assert_ne!(rule.second(&both), CellVerdict::Fail);
        }

        #[test]
        fn what_is_said_fits_together(first in ratios(), fresh in ratios()) {
            let cell = RULE.compare(&first, &fresh);
            if let (Some(low), Some(estimate), Some(high)) = (cell.low_pct, cell.estimate_pct, cell.high_pct) {
                prop_assert!(low <= estimate && estimate <= high);
            }
            match cell.verdict {
                CellVerdict::Pass => prop_assert!(cell.high_pct.unwrap() < cell.budget_pct),
                CellVerdict::Fail => prop_assert!(cell.estimate_pct.unwrap() > 2.0 && cell.low_pct.unwrap() > 1.0),
                CellVerdict::Inconclusive => {}
            }
            prop_assert!(cell.sessions_to_settle.is_none_or(|n| n > first.len()));
            prop_assert!(cell.verdict == CellVerdict::Inconclusive || cell.sessions_to_settle.is_none());
        }
    }
}
