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
