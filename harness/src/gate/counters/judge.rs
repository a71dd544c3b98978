//! Base against candidate by counts. Pure.
//!
//! Counts have a range, not a distribution: the change is between the lowest count of the candidate over the highest of
//! the base, and the highest over the lowest. It fails if all of that range is above the budget, passes if all of it is
//! below, and is inconclusive if the budget is inside. If the counts of a server vary between runs by more than the
//! budget, they are inconclusive as well: three runs do not show the full range (Node.js against itself, whose compiler
//! runs at unpredictable times: +145 % to +595 %).

use super::PerOp;
use crate::gate::rule::{CellVerdict, Comparison};

/// The counts of both sides, compared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CountJudgement {
    /// The verdict.
    pub verdict: CellVerdict,
    /// The change in percent of the base; above 0 the candidate costs more. `None` if it is not a finite number.
    pub estimate_pct: Option<f64>,
    /// The smallest possible change in percent.
    pub low_pct: Option<f64>,
    /// The largest possible change in percent.
    pub high_pct: Option<f64>,
    /// How much more the candidate may cost, in percent.
    pub budget_pct: f64,
    /// Why it is inconclusive.
    pub reason: Option<String>,
}

/// Compares the cost of an operation. `budget` is a share: 0.01 is 1 %.
pub(crate) fn judge(base: &PerOp, candidate: &PerOp, budget: f64) -> CountJudgement {
    let budget_pct = budget * 100.0;
    let mut judged = CountJudgement {
        verdict: CellVerdict::Inconclusive,
        estimate_pct: change(candidate.estimate, base.estimate),
        low_pct: change(candidate.low, base.high),
        high_pct: change(candidate.high, base.low),
        budget_pct,
        reason: None,
    };
    let [base_pct, candidate_pct] = [base, candidate].map(spread);
    let differs = format!(
        "the cost of an operation varies between runs, by {base_pct:.3} % (base) and {candidate_pct:.3} % (candidate)"
    );
    if judged.low_pct.is_none() || judged.high_pct.is_none() {
        judged.reason = Some(format!(
            "an operation costs the base {} to {}: there is nothing to compare with",
            base.low, base.high
        ));
    } else if base_pct.max(candidate_pct) > budget_pct {
        judged.reason = Some(format!("{differs}, more than the budget"));
    } else {
        judged.settle(&differs);
    }
    judged
}

/// The counts of several gates: the range is that of all changes, and a gate that is inconclusive for another reason than its
/// range makes all of them inconclusive.
///
/// `None` without gates.
pub(crate) fn together(gates: &[CountJudgement]) -> Option<CountJudgement> {
    let first = match gates {
        [] => return None,
        [only] => return Some(only.clone()),
        [first, ..] => first,
    };
    let mean = |figure: fn(&CountJudgement) -> Option<f64>| {
        let figures: Option<Vec<f64>> = gates.iter().map(figure).collect();
        figures.map(|figures| figures.iter().sum::<f64>() / figures.len() as f64)
    };
    let end = |figure: fn(&CountJudgement) -> Option<f64>, pick: fn(f64, f64) -> f64| {
        let figures: Option<Vec<f64>> = gates.iter().map(figure).collect();
        figures.and_then(|figures| figures.into_iter().reduce(pick))
    };
    let mut all = CountJudgement {
        verdict: CellVerdict::Inconclusive,
        estimate_pct: mean(|gate| gate.estimate_pct),
        low_pct: end(|gate| gate.low_pct, f64::min),
        high_pct: end(|gate| gate.high_pct, f64::max),
        budget_pct: first.budget_pct,
        reason: None,
    };
    let in_itself = gates.iter().find(|gate| !gate.is_of_its_range());
    match in_itself {
        Some(gate) => all.reason.clone_from(&gate.reason),
        None => all.settle("it differs between the gates"),
    }
    Some(all)
}

impl CountJudgement {
    /// Passes or fails if all of the range does; `differs` says why there is one.
    fn settle(&mut self, differs: &str) {
        let (Some(low), Some(high)) = (self.low_pct, self.high_pct) else {
            return;
        };
        let budget_pct = self.budget_pct;
        if low > budget_pct {
            self.verdict = CellVerdict::Fail;
        } else if high < budget_pct {
            self.verdict = CellVerdict::Pass;
        } else {
            self.reason = Some(format!(
                "the change is between {low:+.3} % and {high:+.3} %, and the budget of {budget_pct} % is inside this range: {differs}"
            ));
        }
    }

    /// Whether the verdict follows from the range, and not from counts that vary too much or are missing.
    fn is_of_its_range(&self) -> bool {
        let (Some(low), Some(high)) = (self.low_pct, self.high_pct) else {
            return false;
        };
        let is_inside = low <= self.budget_pct && high >= self.budget_pct;
        self.verdict != CellVerdict::Inconclusive || is_inside
    }
}

/// The change in percent: 0 if both are zero, `None` if only the base is zero.
fn change(candidate: f64, base: f64) -> Option<f64> {
    if candidate == 0.0 && base == 0.0 {
        return Some(0.0);
    }
    let pct = (candidate / base - 1.0) * 100.0;
    (base > 0.0 && pct.is_finite()).then_some(pct)
}

/// The range in percent of the estimate.
pub(crate) fn spread(per_op: &PerOp) -> f64 {
    match per_op.high - per_op.low {
        0.0 => 0.0,
        range => range / per_op.estimate.abs() * 100.0,
    }
}

impl CountJudgement {
    /// The judgement as it is reported: counted runs take the place of sessions.
    pub(crate) fn comparison(&self, runs: usize) -> Comparison {
        Comparison {
            verdict: self.verdict,
            first_estimate_pct: None,
            estimate_pct: self.estimate_pct,
            low_pct: self.low_pct,
            high_pct: self.high_pct,
            budget_pct: self.budget_pct,
            sessions: runs,
            fresh_sessions: 0,
            mde_pct: None,
            sessions_to_settle: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn per_op(low: f64, high: f64) -> PerOp {
        PerOp {
            estimate: (low + high) / 2.0,
            low,
            high,
        }
    }

    fn exactly(count: f64) -> PerOp {
        per_op(count, count)
    }

    #[test]
    fn exact_counts_are_told_exactly() {
        let verdict = |candidate: f64| judge(&exactly(1_000.0), &exactly(candidate), 0.01).verdict;
        assert_eq!(verdict(1_000.0), CellVerdict::Pass);
        assert_eq!(verdict(500.0), CellVerdict::Pass);
        assert_eq!(verdict(1_009.9), CellVerdict::Pass);
        assert_eq!(verdict(1_010.1), CellVerdict::Fail);
        let judged = judge(&exactly(3.0), &exactly(4.0), 0.01);
        assert_eq!(judged.verdict, CellVerdict::Fail);
        assert!((judged.estimate_pct.unwrap() - 100.0 / 3.0).abs() < 1e-9);
        assert_eq!(judged.low_pct, judged.high_pct);
        assert_eq!(judged.reason, None);
    }

    #[test]
    fn a_range_is_judged_by_its_ends() {
        let base = per_op(995.0, 1_005.0);
        let verdict = |low, high| judge(&base, &per_op(low, high), 0.02).verdict;
        assert_eq!(verdict(990.0, 1_000.0), CellVerdict::Pass);
        assert_eq!(verdict(1_000.0, 1_010.0), CellVerdict::Pass);
        assert_eq!(verdict(1_000.0, 1_020.0), CellVerdict::Inconclusive);
        assert_eq!(verdict(1_020.0, 1_030.0), CellVerdict::Inconclusive);
        assert_eq!(verdict(1_026.0, 1_030.0), CellVerdict::Fail);
    }

    #[test]
    fn what_differs_more_than_the_budget_is_neither_better_nor_worse() {
        let (steady, uneven) = (per_op(999.0, 1_001.0), per_op(3_000.0, 6_000.0));
        for (base, candidate) in [(&steady, &uneven), (&uneven, &steady), (&uneven, &uneven)] {
            let judged = judge(base, candidate, 0.02);
            assert_eq!(judged.verdict, CellVerdict::Inconclusive, "{judged:?}");
            let reason = judged.reason.unwrap();
            assert!(reason.ends_with("more than the budget"), "{reason}");
        }
    }

    #[test]
    fn what_cannot_be_told_says_why() {
        let judged = judge(&per_op(900.0, 1_100.0), &per_op(900.0, 1_100.0), 0.02);
        assert_eq!(judged.verdict, CellVerdict::Inconclusive);
        let reason = judged.reason.unwrap();
        assert!(reason.contains("by 20.000 % (base)"), "{reason}");
        assert!(judged.low_pct.unwrap() < -18.0 && judged.high_pct.unwrap() > 22.0);
    }

    #[test]
    fn nothing_is_compared_with_nothing_only() {
        assert_eq!(
            judge(&exactly(0.0), &exactly(0.0), 0.02).verdict,
            CellVerdict::Pass
        );
        for base in [exactly(0.0), exactly(f64::NAN), per_op(-1.0, 0.0)] {
            let judged = judge(&base, &exactly(2.0), 0.02);
            assert_eq!(judged.verdict, CellVerdict::Inconclusive);
            assert!(judged.reason.unwrap().contains("nothing to compare"));
        }
        let judged = judge(&exactly(2.0), &exactly(f64::NAN), 0.02);
        assert_eq!(
            (judged.verdict, judged.estimate_pct),
            (CellVerdict::Inconclusive, None)
        );
        assert_eq!(
            judge(&exactly(2.0), &exactly(0.0), 0.02).verdict,
            CellVerdict::Pass
        );
    }

    #[test]
    fn a_cell_keeps_the_figures() {
        let judged = judge(&exactly(100.0), &per_op(101.0, 103.0), 0.02);
        let cell = judged.comparison(4);
        assert_eq!(
            (cell.verdict, cell.sessions),
            (CellVerdict::Inconclusive, 4)
        );
        assert_eq!(
            (cell.low_pct, cell.high_pct),
            (judged.low_pct, judged.high_pct)
        );
    }
}
