//! The cells of the deterministic tier: what was counted of base and candidate, compared.

use std::time::Duration;

use super::baseline::Baseline;
use super::counters::judge::{judge, spread};
use super::counters::{
    Allocations, CountPlan, Counts, NoCounts, PerOp, Span, allocations_of_both, count_alone,
    count_alone_again, count_both, count_both_again,
};
use super::metric::{Metric, Tier};
use super::plan::{COUNTING_LATE, GatePlan, time_to_count};
use super::result::{BASE, CANDIDATE, GateCell, GateResult, Skipped};
use super::rule::Verdict;
use crate::subject::{Interrupt, Subject};

/// Counts both sides and adds the cells; what cannot be counted is left out, and why is said.
pub(super) fn add(
    result: &mut GateResult,
    sides: [&Subject; 2],
    plan: &GatePlan,
    interrupt: &Interrupt,
) {
    let Some(time) = plan.counting else { return };
    let counted = count_both(sides, &plan.workload, span(time), interrupt);
    let (counting, counts) = match counted {
        Ok(counted) => counted,
        Err((_, NoCounts::Interrupted)) => return,
        Err((side, why)) => return leave_out(result, plan, side, &why),
    };
    confirm(result, plan, Figures::of(counts), || {
        let again = count_both_again(sides, &counting, interrupt);
        again.map(Figures::of).map_err(|(_, why)| why)
    });
    if !plan.allocations || interrupt.is_set() {
        return;
    }
    let counting = CountPlan::for_allocations(&counting);
    match allocations_of_both(sides, &counting, interrupt) {
        Ok([base, candidate]) => {
            let blocks = |side: &Allocations| side.blocks;
            let lives = counting.requests.len();
            let both = [blocks(&base), blocks(&candidate)];
            result
                .cells
                .push(cell(plan, Metric::Allocations, both, lives));
            notes(result, base.by.notes.into_iter().chain(candidate.by.notes));
        }
        Err((_, NoCounts::Interrupted)) => {}
        Err((side, why)) => leave_out(result, plan, side, &why),
    }
}

/// Counts one server by itself, to be stored.
///
/// # Errors
/// It cannot be counted.
pub fn baseline_of(
    subject: &Subject,
    plan: &GatePlan,
    interrupt: &Interrupt,
) -> Result<Baseline, NoCounts> {
    let counted = count_alone(subject, &plan.workload, None, alone(plan), interrupt);
    let (counting, counts) = counted?;
    Ok(Baseline::of(subject, &counting, &counts, None))
}

/// Counts the candidate as the baseline was counted and adds the cells. What cannot be counted is left out.
///
/// # Errors
/// What was counted here cannot be compared with the baseline: why, a sentence each.
pub fn against(
    result: &mut GateResult,
    baseline: &Baseline,
    candidate: &Subject,
    plan: &GatePlan,
    interrupt: &Interrupt,
) -> Result<(), Vec<String>> {
    let pace = baseline.talk.pace_s.map(Duration::from_secs_f64);
    let counted = count_alone(candidate, &plan.workload, pace, alone(plan), interrupt);
    let (counting, counts) = match counted {
        Ok(counted) => counted,
        Err(NoCounts::Interrupted) => return Ok(()),
        Err(why) => {
            leave_out(result, plan, 1, &why);
            return Ok(());
        }
    };
    let now = Baseline::of(candidate, &counting, &counts, None);
    notes(result, baseline.comparable(&now)?.into_iter());
    let base = [baseline.instructions, baseline.syscalls];
    confirm(result, plan, Figures::over(base, counts), || {
        let again = count_alone_again(candidate, &counting, interrupt)?;
        Ok(Figures::over(base, again))
    });
    Ok(())
}

/// What an operation takes of base and candidate.
struct Figures {
    by_metric: [(Metric, [PerOp; 2]); 2],
    lives: usize,
    notes: Vec<String>,
}

impl Figures {
    fn of([base, candidate]: [Counts; 2]) -> Self {
        let figures = Self::over([base.instructions, base.syscalls], candidate);
        Self {
            notes: [base.by.notes, figures.notes].concat(),
            ..figures
        }
    }

    /// Over the base's instructions and system calls.
    fn over([instructions, syscalls]: [PerOp; 2], candidate: Counts) -> Self {
        Self {
            by_metric: [
                (Metric::Instructions, [instructions, candidate.instructions]),
                (Metric::Syscalls, [syscalls, candidate.syscalls]),
            ],
            lives: candidate.by.lives.len(),
            notes: candidate.by.notes,
        }
    }

    /// With what was counted in other lives.
    fn and(mut self, other: Self) -> Self {
        for ((_, here), (_, there)) in self.by_metric.iter_mut().zip(other.by_metric) {
            *here = [here[0].and(there[0]), here[1].and(there[1])];
        }
        Self {
            lives: self.lives + other.lives,
            notes: [self.notes, other.notes].concat(),
            ..self
        }
    }

    fn cells(&self, plan: &GatePlan) -> [GateCell; 2] {
        self.by_metric
            .map(|(metric, both)| cell(plan, metric, both, self.lives))
    }
}

/// Adds the cells. What looks worse is counted once more, and fails only if it is worse by all that was counted;
/// if that cannot be done, it is open.
fn confirm(
    result: &mut GateResult,
    plan: &GatePlan,
    mut figures: Figures,
    again: impl FnOnce() -> Result<Figures, NoCounts>,
) {
    let mut unconfirmed = None;
    if figures.cells(plan).iter().any(GateCell::fails) {
        match again() {
            Ok(again) => figures = figures.and(again),
            Err(why) => unconfirmed = Some(why.to_string()),
        }
    }
    let mut cells = figures.cells(plan);
    if let Some(why) = unconfirmed {
        for cell in cells.iter_mut().filter(|cell| cell.fails()) {
            cell.cell.verdict = Verdict::Inconclusive;
            cell.reason = Some(format!(
                "it looks worse, and could not be counted again to make sure: {why}"
            ));
        }
    }
    result.cells.extend(cells);
    notes(result, figures.notes.into_iter());
}

/// All of the time is there for it.
fn alone(plan: &GatePlan) -> Span {
    Span {
        aim: plan.counting.unwrap_or(plan.max_time),
        limit: plan.max_time,
    }
}

fn span(time: Duration) -> Span {
    Span {
        aim: time,
        limit: time * COUNTING_LATE,
    }
}

fn notes(result: &mut GateResult, notes: impl Iterator<Item = String>) {
    for note in notes {
        if !result.notes.contains(&note) {
            result.notes.push(note);
        }
    }
}

/// A server whose counts differ from life to life by more than the budget is not made to decide by them: the
/// duet is there for it.
fn cell(plan: &GatePlan, metric: Metric, [base, candidate]: [PerOp; 2], lives: usize) -> GateCell {
    let judged = judge(&base, &candidate, plan.budget(metric));
    let open = judged.verdict == Verdict::Inconclusive;
    GateCell {
        metric,
        tier: metric.tier(),
        at: None,
        unit: metric.unit(),
        decides: plan.deciding.contains(&metric) && (!open || plan.duet.is_none()),
        base: Some(base.estimate),
        candidate: Some(candidate.estimate),
        spread_pct: Some(spread(&base).max(spread(&candidate))),
        settles_in_s: None,
        reason: judged.reason.clone(),
        cell: judged.cell(lives),
    }
}

fn leave_out(result: &mut GateResult, plan: &GatePlan, side: usize, why: &NoCounts) {
    let name = match side {
        0 => BASE,
        _ => CANDIDATE,
    };
    let reason = match why {
        NoCounts::NoValgrind => why.to_string(),
        NoCounts::TooSlow { needed, .. } => {
            let time = match plan.duet {
                Some(_) => time_to_count(*needed),
                None => *needed,
            };
            format!("the {name}: {why} (--max-time {}s)", time.as_secs() + 1)
        }
        _ => format!("the {name}: {why}"),
    };
    result.skipped.push(Skipped {
        tier: Tier::Deterministic,
        reason,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::plan::Asked;

    fn plan() -> GatePlan {
        GatePlan::without_duet(Asked {
            budgets: std::collections::BTreeMap::new(),
            workload: crate::load::Workload::default(),
            cells: Vec::new(),
            max_time: Duration::from_secs(60),
            counts: true,
            sessions: None,
        })
    }

    /// The candidate takes so many instructions for each thousand of the base; system calls are the same.
    fn figures(candidate: f64) -> Figures {
        let exactly = |count: f64| PerOp {
            estimate: count,
            low: count,
            high: count,
        };
        Figures {
            by_metric: [
                (Metric::Instructions, [exactly(1_000.0), exactly(candidate)]),
                (Metric::Syscalls, [exactly(3.0); 2]),
            ],
            lives: 4,
            notes: vec!["a note".to_owned()],
        }
    }

    fn confirmed(first: f64, again: Result<f64, NoCounts>) -> GateResult {
        let mut result = GateResult::default();
        confirm(&mut result, &plan(), figures(first), || again.map(figures));
        result
    }

    #[test]
    fn what_looks_worse_is_counted_again() {
        let worse = confirmed(1_100.0, Ok(1_110.0));
        assert_eq!(worse.verdict(), Verdict::Fail);
        let cell = &worse.cells[0];
        assert_eq!((cell.candidate, cell.cell.sessions), (Some(1_105.0), 8));
        assert_eq!(worse.notes, ["a note"]);
        // 8 % apart from life to life: three lives were alike by chance.
        let chance = confirmed(1_100.0, Ok(1_020.0));
        assert_eq!(chance.cells[0].cell.verdict, Verdict::Inconclusive);
        assert_eq!(chance.cells[0].cell.low_pct.map(f64::round), Some(2.0));
        assert_eq!(chance.cells[1].cell.verdict, Verdict::Pass);
    }

    #[test]
    fn what_does_not_look_worse_is_not() {
        let again = Err(NoCounts::Attached);
        let same = confirmed(1_010.0, again);
        assert_eq!(same.verdict(), Verdict::Pass);
    }

    #[test]
    fn what_cannot_be_counted_again_is_open() {
        let result = confirmed(1_100.0, Err(NoCounts::NoValgrind));
        assert_eq!(result.verdict(), Verdict::Inconclusive);
        let reason = result.cells[0].reason.as_ref().unwrap();
        assert!(
            reason.contains("counted again to make sure: valgrind"),
            "{reason}"
        );
        assert!(result.cells[0].decides && result.cells[0].base == Some(1_000.0));
    }
}
