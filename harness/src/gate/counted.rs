//! The cells of the deterministic tier: what was counted of base and candidate, compared.

use super::counters::judge::{judge, spread};
use super::counters::{
    Allocations, CountPlan, Counts, NoCounts, PerOp, Span, allocations_of_both, count_both,
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
    let span = Span {
        aim: time,
        limit: time * LATE,
    };
    let counted = count_both(sides, &plan.workload, span, interrupt);
    let (counting, [base, candidate]) = match counted {
        Ok(counted) => counted,
        Err((_, NoCounts::Interrupted)) => return,
        Err((side, why)) => return leave_out(result, side, &why),
    };
    compare(result, plan, &base, &candidate);
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

/// Adds the cells of what was counted, now or for a stored baseline.
pub(super) fn compare(result: &mut GateResult, plan: &GatePlan, base: &Counts, candidate: &Counts) {
    let lives = base.by.lives.len();
    let (one, other) = (base, candidate);
    for (metric, both) in [
        (Metric::Instructions, [one.instructions, other.instructions]),
        (Metric::Syscalls, [one.syscalls, other.syscalls]),
    ] {
        result.cells.push(cell(plan, metric, both, lives));
    }
    notes(
        result,
        base.by.notes.iter().chain(&candidate.by.notes).cloned(),
    );
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
