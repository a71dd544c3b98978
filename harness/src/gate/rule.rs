//! The decision rule of the gate: two stages and a control. Pure: log ratios in, verdicts out.
//!
//! Each session gives one log ratio per metric: ln(candidate / base) of a figure where lower is better, such as CPU
//! time per operation. The centre of the log ratios is estimated by ranks, so that a few outliers do not move it
//! (Hodges and Lehmann 1963; the bounds: Hollander and Wolfe, Nonparametric Statistical Methods, 3.2 and 3.3). A
//! metric fails if it exceeds its budget in a first stage of sessions and again in fresh sessions alone. The
//! confirmation makes a correction for multiple metrics unnecessary.
//!
//! A change of more than [`CLEAR_BUDGETS`] budgets may end the first stage early, once each of at least
//! [`CLEAR_SESSIONS`] sessions showed it. This raises no false alarms. If the true change were just that large, a session
//! would exceed it with a probability of one half, and all twelve with 1 in 4,096; after every session it is asked
//! again, but "all of them" can only become false, so asking often does not add to that. If the true change is within
//! the budget, each of the twelve would have to be an outlier. If the time is over, seven such sessions are enough.
//!
//! `tests/statistics.rs` measures the error rates of the rule.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats::{Interval, hodges_lehmann, one_sided};

/// Usual number of sessions in the first stage.
pub const FIRST_SESSIONS: usize = 20;
/// Usual number of control sessions.
pub const CONTROL_SESSIONS: usize = 10;
/// Minimum number of control sessions for a valid control.
pub const CONTROL_LEAST: usize = 5;

/// Factor by which a change must exceed its budget in each session to end the first stage early.
pub const CLEAR_BUDGETS: f64 = 10.0;
/// Minimum number of sessions before the first stage ends early.
pub const CLEAR_SESSIONS: usize = 12;
/// Sessions that make a change suspect which is that large, and that suffice if the time is over.
const CLEAR_FIRST: usize = 7;

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
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema, Serialize)]
pub struct Rule {
    /// How much worse the candidate may be, as a share of the base: 0.02 is 2 %. Must be above 0.
    pub budget: f64,
}

/// The outcome of the first stage for a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema, Serialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Void {
    /// Fewer than [`CONTROL_LEAST`] control sessions.
    TooFew,
    /// A session gave no finite log ratio, such as one that measured no CPU time.
    NoNumber,
    /// The measured extra work is too small by more than half a budget: the harness is blind.
    TooLittle,
    /// More than three times the extra work was measured: the machine is too noisy. Up to that an extra exchange may cost more than
    /// one of many: of a large server that shares its core with two others (Node, on a busy machine), 2.2 to 5.6 % of 2 % were
    /// measured while it differed from itself by 0.1 %.
    TooMuch,
}

/// Base and candidate compared by one metric.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct Comparison {
    /// The verdict.
    pub verdict: CellVerdict,
    /// The Hodges-Lehmann estimate of the change, in percent of the base; above 0 the candidate is worse. It is
    /// taken from the fresh sessions if the metric was suspect, since the first stage is then biased upwards; from
    /// the first stage otherwise. `None` without sessions.
    pub estimate_pct: Option<f64>,
    /// The estimate of the first stage, in percent, if another one is given because fresh sessions followed. A metric fails only
    /// if both exceed the budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_estimate_pct: Option<f64>,
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

    /// Judges the control by its log ratios, side with extra work over the other side: void if their centre is below the planted
    /// work by more than half a budget or above it by more than two, or if there are too few.
    pub fn control(self, log_ratios: &[f64]) -> Control {
        let seen = hodges_lehmann(log_ratios, LEVEL).map(|interval| interval.estimate);
        let off = seen.map_or(f64::NAN, |seen| seen - self.limit());
        let void = if log_ratios.len() < CONTROL_LEAST {
            Some(Void::TooFew)
        } else if log_ratios.iter().any(|ratio| !ratio.is_finite()) {
            Some(Void::NoNumber)
        } else if off < -self.half() {
            Some(Void::TooLittle)
        } else if off > 2.0 * self.limit() {
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

    /// Whether a change is so large that no further session is needed: each of at least [`CLEAR_SESSIONS`] sessions
    /// shows more than [`CLEAR_BUDGETS`] budgets.
    pub fn is_clear(self, log_ratios: &[f64]) -> bool {
        log_ratios.len() >= CLEAR_SESSIONS && self.is_far_beyond(log_ratios)
    }

    fn is_far_beyond(self, log_ratios: &[f64]) -> bool {
        let least = (CLEAR_BUDGETS * self.budget).ln_1p();
        log_ratios
            .iter()
            .all(|ratio| ratio.is_finite() && *ratio > least)
    }

    /// Judges a metric when the first stage has ended early or the time is over. A change of more than
    /// [`CLEAR_BUDGETS`] budgets in each of at least `CLEAR_FIRST` sessions fails: these make it suspect, and any
    /// after them confirm it. Anything else that is suspect is inconclusive, since there are no fresh sessions.
    pub fn compare_early(self, log_ratios: &[f64]) -> Comparison {
        if log_ratios.len() < CLEAR_FIRST || !self.is_far_beyond(log_ratios) {
            return self.compare(log_ratios, &[]);
        }
        let (first, fresh) = log_ratios.split_at(CLEAR_FIRST);
        let sides = if self.second(fresh) == CellVerdict::Fail {
            (first, fresh)
        } else {
            (log_ratios, &[][..])
        };
        Comparison {
            verdict: CellVerdict::Fail,
            sessions_to_settle: None,
            ..self.compare(sides.0, sides.1)
        }
    }

    /// Judges a metric when the time was over before all fresh sessions had run. If these are too few for a bound, the sessions
    /// are divided anew: the first half makes the metric suspect, and the others confirm it.
    pub fn compare_cut(self, first: &[f64], fresh: &[f64]) -> Comparison {
        let all = [first, fresh].concat();
        let early = self.compare_early(&all);
        if early.verdict == CellVerdict::Fail {
            return early;
        }
        if one_sided(fresh, LEVEL).is_none() {
            let (half, rest) = all.split_at(all.len().div_ceil(2));
            let halves = self.compare(half, rest);
            if halves.verdict == CellVerdict::Fail {
                return halves;
            }
        }
        self.compare(first, fresh)
    }

    /// Judges a metric by the sessions of several gates. Those of the first half of the gates, or one more, are the first stage,
    /// and those of the others confirm it: they are fresh, and of other machines where each gate has its own. A metric that
    /// is not suspect passes if the upper 95 % bound of all sessions is below the budget.
    ///
    /// The levels are those of a single gate. Nothing is asked twice: verdicts of the gates by themselves play no part,
    /// and which gate belongs to which half does not depend on what they measured. Both estimates have to exceed the
    /// budget, and their errors become smaller with each gate, so false alarms become rarer
    /// (`tests/statistics/gates.rs`).
    pub fn compare_gates(self, gates: &[Vec<f64>]) -> Comparison {
        let (first, second) = gates.split_at(gates.len().div_ceil(2));
        let (first, second, all) = (first.concat(), second.concat(), gates.concat());
        let suspect = self.first(&first) == FirstStage::Suspect;
        let is_below = |bounds: Interval| bounds.high < self.limit();
        let verdict = if suspect {
            self.second(&second)
        } else if one_sided(&all, LEVEL).is_some_and(is_below) {
            CellVerdict::Pass
        } else {
            CellVerdict::Inconclusive
        };
        let (sessions, fresh) = if suspect {
            (&first, &second[..])
        } else {
            (&all, &[][..])
        };
        Comparison {
            mde_pct: self.mde_of_stages_pct(&all, first.len(), second.len()),
            ..self.described(verdict, sessions, fresh)
        }
    }

    /// Judges the controls of several gates, each by its number: the first that is void, or all of them together. A gate
    /// with few control sessions is void if it must be at the 99 % level, and so that it cannot hide among the others.
    pub fn control_of_gates(self, gates: &[Vec<f64>]) -> (Control, Option<usize>) {
        let is_far = |ratios: &[f64]| {
            one_sided(ratios, SUSPECT_LEVEL).is_some_and(|bounds| {
                bounds.high < self.limit() - self.half() || bounds.low > self.limit() + self.half()
            })
        };
        for (place, ratios) in gates.iter().enumerate() {
            let control = self.control(ratios);
            let stands = match control.void {
                None => true,
                Some(Void::TooFew | Void::NoNumber) => false,
                Some(Void::TooLittle | Void::TooMuch) => !is_far(ratios),
            };
            if !stands {
                return (control, Some(place));
            }
        }
        (self.control(&gates.concat()), None)
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
        let open = verdict == CellVerdict::Inconclusive;
        Comparison {
            mde_pct: self.mde_pct(first),
            sessions_to_settle: open
                .then(|| self.sessions_to_settle(decisive, first.len()))
                .flatten(),
            ..self.described(verdict, first, fresh)
        }
    }

    /// A verdict with the figures of the sessions that decided.
    fn described(self, verdict: CellVerdict, first: &[f64], fresh: &[f64]) -> Comparison {
        let decisive = if fresh.is_empty() { first } else { fresh };
        let center = |ratios| hodges_lehmann(ratios, LEVEL).map(|interval| interval.estimate);
        let estimate = center(decisive);
        let first_estimate = center(first).filter(|_| !fresh.is_empty());
        let bounds = one_sided(decisive, LEVEL);
        Comparison {
            verdict,
            estimate_pct: finite_percent(estimate),
            first_estimate_pct: finite_percent(first_estimate),
            low_pct: finite_percent(bounds.map(|bounds| bounds.low)),
            high_pct: finite_percent(bounds.map(|bounds| bounds.high)),
            budget_pct: self.budget * 100.0,
            sessions: first.len(),
            fresh_sessions: fresh.len(),
            mde_pct: None,
            sessions_to_settle: None,
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
mod tests;
