//! The cells of the deterministic tier: what was counted of base and candidate, compared.

use std::time::Duration;

use super::baseline::Baseline;
use super::counters::judge::{judge, spread};
use super::counters::{
    Allocations, CountPlan, NoCounts, PerOp, Span, allocations_of_both, count_alone, count_both,
};
use super::metric::{Metric, Tier};
use super::plan::GatePlan;
use super::result::{BASE, CANDIDATE, GateCell, GateResult, Skipped};
use super::rule::Verdict;
use crate::check::run::{Interrupt, Subject};

/// What takes more than so many times the time there is for it is left out: the duet needs the rest.
const LATE: u32 = 2;

/// Counts both sides and adds the cells; what cannot be counted is left out, and why is said.
pub(super) fn add(
    result: &mut GateResult,
    sides: [&Subject; 2],
    plan: &GatePlan,
    interrupt: &Interrupt,
) {
    let Some(time) = plan.counting else { return };
    let counted = count_both(sides, &plan.workload, span(time), interrupt);
    let (counting, [base, candidate]) = match counted {
        Ok(counted) => counted,
        Err((_, NoCounts::Interrupted)) => return,
        Err((side, why)) => return leave_out(result, side, &why),
    };
    compare(
        result,
        plan,
        [base.instructions, candidate.instructions],
        [base.syscalls, candidate.syscalls],
        base.by.lives.len(),
    );
    notes(result, base.by.notes.into_iter().chain(candidate.by.notes));
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
        Err((side, why)) => leave_out(result, side, &why),
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
            leave_out(result, 1, &why);
            return Ok(());
        }
    };
    let now = Baseline::of(candidate, &counting, &counts, None);
    notes(result, baseline.comparable(&now)?.into_iter());
    compare(
        result,
        plan,
        [baseline.instructions, counts.instructions],
        [baseline.syscalls, counts.syscalls],
        counts.by.lives.len(),
    );
    notes(result, counts.by.notes.into_iter());
    Ok(())
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
        limit: time * LATE,
    }
}

fn compare(
    result: &mut GateResult,
    plan: &GatePlan,
    instructions: [PerOp; 2],
    syscalls: [PerOp; 2],
    lives: usize,
) {
    for (metric, both) in [
        (Metric::Instructions, instructions),
        (Metric::Syscalls, syscalls),
    ] {
        result.cells.push(cell(plan, metric, both, lives));
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
/// duet is there for it. What is surely worse is, all the same.
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

fn leave_out(result: &mut GateResult, side: usize, why: &NoCounts) {
    let name = match side {
        0 => BASE,
        _ => CANDIDATE,
    };
    let reason = match why {
        NoCounts::NoValgrind => why.to_string(),
        _ => format!("the {name}: {why}"),
    };
    result.skipped.push(Skipped {
        tier: Tier::Deterministic,
        reason,
    });
}
