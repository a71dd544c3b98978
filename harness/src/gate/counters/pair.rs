//! Counting base and candidate at the same time, each on its own core.

use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity};

use super::{
    Allocations, CountError, CountPlan, Graph, OperationCounts, Places, Span, count,
    count_allocations, count_calls, gauge, profile,
};
use crate::gate::side::{Pair, Side};
use crate::load::Workload;
use crate::process::Interpreter;
use crate::subject::{Interrupt, Subject};

/// Counts instructions and system calls of both sides by one plan.
///
/// # Errors
/// A side that cannot be counted, or not in the time, and why.
pub fn count_both(
    subjects: Pair<&Subject>,
    workload: &Workload,
    span: Span,
    interrupt: &Interrupt,
) -> Result<(CountPlan, Pair<OperationCounts>), (Side, CountError)> {
    let cores = cores();
    let gauges =
        at_once(|side| gauge(subjects[side], workload, span.limit, cores[side], interrupt))?;
    let plan = CountPlan::fitting(workload, &[&gauges.base, &gauges.candidate], span);
    let slower = if gauges.candidate.request > gauges.base.request {
        Side::Candidate
    } else {
        Side::Base
    };
    let plan = plan.map_err(|error| (slower, error))?;
    let counts = at_once(|side| {
        let first = Some(gauges[side].clone());
        count(subjects[side], &plan, first, cores[side], interrupt)
    })?;
    Ok((plan, counts))
}

/// Counts both sides again in fresh runs, by the plan of the first count.
///
/// # Errors
/// As [`count_both`].
pub(crate) fn count_both_again(
    subjects: Pair<&Subject>,
    plan: &CountPlan,
    interrupt: &Interrupt,
) -> Result<Pair<OperationCounts>, (Side, CountError)> {
    let cores = cores();
    at_once(|side| count(subjects[side], plan, None, cores[side], interrupt))
}

/// Counts one server alone on the first core, to store its counts or to compare them with stored ones. Counts are
/// comparable only at the same rate, so `pace` is that of the stored counts.
///
/// # Errors
/// See [`CountError`].
pub(crate) fn count_alone(
    subject: &Subject,
    workload: &Workload,
    pace: Option<Duration>,
    span: Span,
    interrupt: &Interrupt,
) -> Result<(CountPlan, OperationCounts), CountError> {
    let core = cores().base;
    let gauge = gauge(subject, workload, span.limit, core, interrupt)?;
    let mut plan = CountPlan::fitting(workload, &[&gauge], span)?;
    plan.pace = pace.or(plan.pace);
    let counts = count(subject, &plan, Some(gauge), core, interrupt)?;
    Ok((plan, counts))
}

/// Counts one server again in fresh runs.
///
/// # Errors
/// See [`CountError`].
pub(crate) fn count_alone_again(
    subject: &Subject,
    plan: &CountPlan,
    interrupt: &Interrupt,
) -> Result<OperationCounts, CountError> {
    let core = cores().base;
    count(subject, plan, None, core, interrupt)
}

/// Counts the allocations of both sides, by a plan made for it: see `CountPlan::for_allocations`.
///
/// # Errors
/// As [`count_both`].
pub fn allocations_of_both(
    subjects: Pair<&Subject>,
    plan: &CountPlan,
    interrupt: &Interrupt,
) -> Result<Pair<Allocations>, (Side, CountError)> {
    let cores = cores();
    at_once(|side| count_allocations(subjects[side], plan, cores[side], interrupt))
}

/// Counts the system calls of both sides by name, by a plan as for allocations.
///
/// # Errors
/// As [`count_both`].
pub(crate) fn calls_of_both(
    subjects: Pair<&Subject>,
    plan: &CountPlan,
    interrupt: &Interrupt,
) -> Result<Pair<Graph>, (Side, CountError)> {
    let cores = cores();
    at_once(|side| count_calls(subjects[side], plan, cores[side], interrupt))
}

/// Measures the functions of both scripts, which this interpreter runs.
///
/// # Errors
/// As [`count_both`].
pub(crate) fn script_of_both(
    subjects: Pair<&Subject>,
    workload: &Workload,
    interpreter: Interpreter,
    patience: Duration,
    interrupt: &Interrupt,
) -> Result<Pair<Places>, (Side, CountError)> {
    let cores = cores();
    at_once(|side| {
        let (subject, core) = (subjects[side], cores[side]);
        profile(subject, workload, interpreter, patience, core, interrupt)
    })
}

/// Does the work for both sides, each on its own thread.
fn at_once<T: Send>(
    work: impl Fn(Side) -> Result<T, CountError> + Sync,
) -> Result<Pair<T>, (Side, CountError)> {
    let (base, candidate) = std::thread::scope(|scope| {
        let base = scope.spawn(|| work(Side::Base));
        let candidate = work(Side::Candidate);
        let base = base
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (base, candidate)
    });
    Ok(Pair {
        base: base.map_err(|error| (Side::Base, error))?,
        candidate: candidate.map_err(|error| (Side::Candidate, error))?,
    })
}

/// The first and the last core that this process may use. If there is only one core, both sides use it: that is
/// slower, but no less exact.
fn cores() -> Pair<Option<usize>> {
    let Ok(allowed) = sched_getaffinity(None) else {
        return Pair::both(None);
    };
    let mut cores = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
    let first = cores.next();
    Pair {
        base: first,
        candidate: cores.next_back().or(first),
    }
}
