//! Base and candidate counted at the same time, each on a core of its own.

use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity};

use super::{
    Allocations, CountPlan, Counts, Gauge, NoCounts, Span, count, count_allocations, gauge,
};
use crate::load::Workload;
use crate::subject::{Interrupt, Subject};

/// A result for the base, and one for the candidate.
pub type Both<T> = [Result<T, NoCounts>; 2];

/// Counts instructions and system calls of both, with the same plan.
///
/// # Errors
/// One of both cannot be counted at all, or not in such a time: which (0 is the base), and why.
pub fn count_both(
    sides: [&Subject; 2],
    workload: &Workload,
    span: Span,
    interrupt: &Interrupt,
) -> Result<(CountPlan, [Counts; 2]), (usize, NoCounts)> {
    let cores = cores();
    let gauges: [Gauge; 2] = whole(at_once(|side| {
        gauge(sides[side], workload, span.limit, cores[side], interrupt)
    }))?;
    let plan = CountPlan::fitting(workload, &[&gauges[0], &gauges[1]], span);
    let slower = usize::from(gauges[1].request > gauges[0].request);
    let plan = plan.map_err(|trouble| (slower, trouble))?;
    let counted = at_once(|side| {
        let first = Some(gauges[side].clone());
        count(sides[side], &plan, first, cores[side], interrupt)
    });
    Ok((plan, whole(counted)?))
}

/// Counts both in fresh lives, by the plan of a first count.
///
/// # Errors
/// As [`count_both`].
pub fn count_both_again(
    sides: [&Subject; 2],
    plan: &CountPlan,
    interrupt: &Interrupt,
) -> Result<[Counts; 2], (usize, NoCounts)> {
    let cores = cores();
    whole(at_once(|side| {
        count(sides[side], plan, None, cores[side], interrupt)
    }))
}

/// Counts one server alone, on the first core, to store its counts or to compare them with stored ones. A
/// stored one's `pace` is taken over, for only then can they be compared.
///
/// # Errors
/// See [`NoCounts`].
pub fn count_alone(
    subject: &Subject,
    workload: &Workload,
    pace: Option<Duration>,
    span: Span,
    interrupt: &Interrupt,
) -> Result<(CountPlan, Counts), NoCounts> {
    let [core, _] = cores();
    let gauge = gauge(subject, workload, span.limit, core, interrupt)?;
    let mut plan = CountPlan::fitting(workload, &[&gauge], span)?;
    plan.pace = pace.or(plan.pace);
    let counts = count(subject, &plan, Some(gauge), core, interrupt)?;
    Ok((plan, counts))
}

/// Counts it once more, in fresh lives.
///
/// # Errors
/// See [`NoCounts`].
pub fn count_alone_again(
    subject: &Subject,
    plan: &CountPlan,
    interrupt: &Interrupt,
) -> Result<Counts, NoCounts> {
    let [core, _] = cores();
    count(subject, plan, None, core, interrupt)
}

/// As [`count_both`], of allocations, by a plan for it: see [`CountPlan::for_allocations`].
///
/// # Errors
/// As [`count_both`].
pub fn allocations_of_both(
    sides: [&Subject; 2],
    plan: &CountPlan,
    interrupt: &Interrupt,
) -> Result<[Allocations; 2], (usize, NoCounts)> {
    let cores = cores();
    whole(at_once(|side| {
        count_allocations(sides[side], plan, cores[side], interrupt)
    }))
}

/// Does it for both sides, each on a thread of its own.
fn at_once<T: Send>(work: impl Fn(usize) -> Result<T, NoCounts> + Sync) -> Both<T> {
    std::thread::scope(|scope| {
        let base = scope.spawn(|| work(0));
        let candidate = work(1);
        let base = base
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        [base, candidate]
    })
}

fn whole<T>(both: Both<T>) -> Result<[T; 2], (usize, NoCounts)> {
    match both {
        [Ok(base), Ok(candidate)] => Ok([base, candidate]),
        [Err(trouble), _] => Err((0, trouble)),
        [_, Err(trouble)] => Err((1, trouble)),
    }
}

/// The first and the last of the cores that this process may use; the same one if there is no other, for a
/// server that is moved between cores is no less exact, but slower.
fn cores() -> [Option<usize>; 2] {
    let Ok(allowed) = sched_getaffinity(None) else {
        return [None; 2];
    };
    let mut cores = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
    let first = cores.next();
    [first, cores.next_back().or(first)]
}
