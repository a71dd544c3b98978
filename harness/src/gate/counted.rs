//! The cells of the deterministic tier: counts of base and candidate, compared.

use std::time::{Duration, Instant};

use super::baseline::Baseline;
use super::counters::{
    CountError, CountPlan, Graph, OperationCounts, PerOp, Span, allocations_of_both, calls_of_both,
    count_alone, count_alone_again, count_both, count_both_again,
};
use super::explain::{self, explain, interpreter};
use super::metric::{Metric, Tier};
use super::plan::{GatePlan, time_to_count};
use super::result::{Explained, GateCell, GateResult, SkippedTier};
use super::rule::CellVerdict;
use super::samples::{Counted, GateSamples, counted_cell};
use super::side::{Pair, Side};
use crate::subject::{Interrupt, Subject};

/// Share of the time that a count may aim at, so that a second one to confirm it fits in too.
const CONFIRMED: f64 = 0.45;

/// What was counted.
#[derive(Default)]
pub(super) struct CountedTier {
    pub samples: Vec<Counted>,
    /// The interpreter whose functions were named instead of those of a script.
    pub interpreter: Option<String>,
}

/// Counts both sides within a time limit, adds the cells, and returns the counts. What cannot be counted is reported as skipped.
pub(super) fn add(
    result: &mut GateResult,
    subjects: Pair<&Subject>,
    plan: &GatePlan,
    limit: Duration,
    interrupt: &Interrupt,
) -> CountedTier {
    let Some(time) = plan.counting else {
        return CountedTier::default();
    };
    let clock = CountingClock::new(plan, limit, interrupt);
    let aim = time.min(limit.mul_f64(CONFIRMED));
    let span = Span { aim, limit };
    let counted = count_both(subjects, &plan.workload, span, &clock.limited);
    let (counting, counts) = match counted.map_err(|(side, why)| (side, clock.named(why))) {
        Ok(counted) => counted,
        Err((_, CountError::Interrupted)) => return CountedTier::default(),
        Err((side, why)) => {
            skip(result, plan, side, &why);
            return CountedTier::default();
        }
    };
    let mut tier = confirm(result, plan, CountedFigures::of(counts), || {
        let again = count_both_again(subjects, &counting, &clock.limited);
        let again = again.map(CountedFigures::of);
        again.map_err(|(_, why)| clock.named(why))
    });
    name_calls(result, subjects, &counting, &clock.limited);
    if !plan.allocations || interrupt.is_set() {
        return tier;
    }
    let counting = CountPlan::for_allocations(&counting);
    let counted = allocations_of_both(subjects, &counting, &clock.limited);
    match counted.map_err(|(side, why)| (side, clock.named(why))) {
        Ok(allocations) => {
            let counted = Counted {
                metric: Metric::Allocations,
                per_op: allocations.as_ref().map(|side| side.blocks),
                runs: counting.requests.len(),
                unconfirmed: None,
            };
            let cells: Vec<GateCell> = counted_cell(&[&counted], plan).into_iter().collect();
            tier.samples.push(counted);
            let Pair { base, candidate } = allocations;
            let functions = Pair {
                base: base.functions,
                candidate: candidate.functions,
            };
            result.explained.extend(explain(&functions, &cells));
            result.cells.extend(cells);
            add_notes(result, base.by.notes.into_iter().chain(candidate.by.notes));
        }
        Err((_, CountError::Interrupted)) => {}
        Err((side, why)) => skip(result, plan, side, &why),
    }
    tier
}

/// Says which system calls there are more or fewer of, if their number changed. It is no part of the verdict, so what goes wrong is
/// only noted.
fn name_calls(
    result: &mut GateResult,
    subjects: Pair<&Subject>,
    counting: &CountPlan,
    interrupt: &Interrupt,
) {
    let counted = |one: &Explained| one.metric == Metric::Syscalls;
    if !result.explained.iter().any(counted) {
        return;
    }
    match calls_of_both(subjects, &CountPlan::for_allocations(counting), interrupt) {
        Ok(calls) => explain::name_calls(&mut result.explained, &calls),
        Err((side, why)) => add_notes(
            result,
            std::iter::once(format!(
                "the system calls of the {side} were not counted by name: {why}"
            )),
        ),
    }
}

/// Counts one server alone, to store the counts.
///
/// # Errors
/// It cannot be counted.
pub(crate) fn baseline_of(
    subject: &Subject,
    plan: &GatePlan,
    interrupt: &Interrupt,
) -> Result<Baseline, CountError> {
    let clock = CountingClock::new(plan, plan.max_time, interrupt);
    let counted = count_alone(subject, &plan.workload, None, alone(plan), &clock.limited);
    let (counting, counts) = counted.map_err(|why| clock.named(why))?;
    Ok(Baseline::of(subject, &counting, &counts, None))
}

/// Counts the candidate in the way the baseline was counted, and adds the cells. What cannot be counted is reported
/// as skipped.
///
/// # Errors
/// The counts cannot be compared with the baseline: the reasons, one sentence each.
pub(crate) fn against(
    result: &mut GateResult,
    baseline: &Baseline,
    candidate: &Subject,
    plan: &GatePlan,
    interrupt: &Interrupt,
) -> Result<GateSamples, Vec<String>> {
    let pace = baseline.talk.pace_s.map(Duration::from_secs_f64);
    let clock = CountingClock::new(plan, plan.max_time, interrupt);
    let span = alone(plan);
    let counted = count_alone(candidate, &plan.workload, pace, span, &clock.limited);
    let (counting, counts) = match counted.map_err(|why| clock.named(why)) {
        Ok(counted) => counted,
        Err(CountError::Interrupted) => return Ok(GateSamples::default()),
        Err(why) => {
            skip(result, plan, Side::Candidate, &why);
            return Ok(GateSamples::default());
        }
    };
    let now = Baseline::of(candidate, &counting, &counts, None);
    add_notes(result, baseline.comparable(&now)?.into_iter());
    let tier = confirm(
        result,
        plan,
        CountedFigures::over_baseline(baseline, counts),
        || {
            let again = count_alone_again(candidate, &counting, &clock.limited);
            let again = again.map_err(|why| clock.named(why))?;
            Ok(CountedFigures::over_baseline(baseline, again))
        },
    );
    Ok(GateSamples {
        counted: tier.samples,
        ..GateSamples::default()
    })
}

/// Ends counting when its time is over.
struct CountingClock<'a> {
    interrupt: &'a Interrupt,
    /// The interrupt that is also set when the time is over.
    limited: Interrupt,
    limit: Duration,
    outside: Duration,
}

impl<'a> CountingClock<'a> {
    fn new(plan: &GatePlan, limit: Duration, interrupt: &'a Interrupt) -> Self {
        Self {
            interrupt,
            limited: interrupt.or_at(Instant::now() + limit),
            limit,
            outside: plan.overhead,
        }
    }

    /// The error of an end that nobody asked for.
    fn named(&self, why: CountError) -> CountError {
        match why {
            CountError::Interrupted if !self.interrupt.is_set() => CountError::NoTime {
                limit: self.limit,
                outside: self.outside,
            },
            why => why,
        }
    }
}

/// Costs per operation of base and candidate.
struct CountedFigures {
    instructions: Pair<PerOp>,
    syscalls: Pair<PerOp>,
    /// Counted runs of the candidate.
    runs: usize,
    notes: Vec<String>,
    /// The functions of both; `None` if those of the base are not known.
    functions: Option<Pair<Graph>>,
}

impl CountedFigures {
    fn of(counts: Pair<OperationCounts>) -> Self {
        let notes = counts.as_ref().map(|side| &side.by.notes);
        Self {
            instructions: counts.as_ref().map(|side| side.instructions),
            syscalls: counts.as_ref().map(|side| side.syscalls),
            runs: counts.candidate.by.runs.len(),
            notes: notes.base.iter().chain(notes.candidate).cloned().collect(),
            functions: Some(Pair {
                base: counts.base.functions,
                candidate: counts.candidate.functions,
            }),
        }
    }

    fn over_baseline(baseline: &Baseline, candidate: OperationCounts) -> Self {
        Self {
            instructions: Pair {
                base: baseline.instructions,
                candidate: candidate.instructions,
            },
            syscalls: Pair {
                base: baseline.syscalls,
                candidate: candidate.syscalls,
            },
            runs: candidate.by.runs.len(),
            notes: candidate.by.notes,
            functions: None,
        }
    }

    /// Combined with a second count.
    fn and(self, other: Self) -> Self {
        let both =
            |one: Pair<PerOp>, other: Pair<PerOp>| Pair::of(|side| one[side].and(other[side]));
        Self {
            instructions: both(self.instructions, other.instructions),
            syscalls: both(self.syscalls, other.syscalls),
            runs: self.runs + other.runs,
            notes: [self.notes, other.notes].concat(),
            functions: other.functions.or(self.functions),
        }
    }

    fn counted(&self, unconfirmed: Option<&str>) -> [Counted; 2] {
        let counted = |metric, per_op| Counted {
            metric,
            per_op,
            runs: self.runs,
            unconfirmed: unconfirmed.map(str::to_owned),
        };
        [
            counted(Metric::Instructions, self.instructions),
            counted(Metric::Syscalls, self.syscalls),
        ]
    }
}

fn cells(counted: &[Counted], plan: &GatePlan) -> Vec<GateCell> {
    counted
        .iter()
        .filter_map(|one| counted_cell(&[one], plan))
        .collect()
}

/// Adds the cells. A suspected regression is counted again on fresh servers, and fails only if the combined counts
/// exceed the budget; if it cannot be counted again, it is inconclusive.
fn confirm(
    result: &mut GateResult,
    plan: &GatePlan,
    mut figures: CountedFigures,
    again: impl FnOnce() -> Result<CountedFigures, CountError>,
) -> CountedTier {
    let mut unconfirmed = None;
    if cells(&figures.counted(None), plan)
        .iter()
        .any(GateCell::fails)
    {
        match again() {
            Ok(again) => figures = figures.and(again),
            Err(why) => unconfirmed = Some(why.to_string()),
        }
    }
    let counted = figures.counted(unconfirmed.as_deref());
    let cells = cells(&counted, plan);
    let got_worse = result.cells.iter().any(GateCell::fails)
        || cells
            .iter()
            .any(|cell| cell.comparison.verdict != CellVerdict::Pass);
    let mut tier = CountedTier {
        samples: counted.to_vec(),
        interpreter: None,
    };
    if let Some(functions) = figures.functions.filter(|_| got_worse || plan.explain) {
        let explained = explain(&functions, &cells);
        tier.interpreter = interpreter(&functions).filter(|_| !explained.is_empty());
        result.explained.extend(explained);
    }
    result.cells.extend(cells);
    add_notes(result, figures.notes.into_iter());
    tier
}

/// A gate that only counts may use all of its time.
fn alone(plan: &GatePlan) -> Span {
    Span {
        aim: plan.counting.unwrap_or(plan.max_time),
        limit: plan.max_time,
    }
}

pub(super) fn add_notes(result: &mut GateResult, notes: impl Iterator<Item = String>) {
    for note in notes {
        if !result.notes.contains(&note) {
            result.notes.push(note);
        }
    }
}

fn skip(result: &mut GateResult, plan: &GatePlan, side: Side, why: &CountError) {
    let reason = match why {
        CountError::NoValgrind => why.to_string(),
        CountError::TooSlow { needed, .. } => {
            format!("the {side}: {why} ({})", longer(plan, *needed))
        }
        // It did not get beyond the first of at least three runs.
        CountError::NoTime { limit, .. } => {
            format!("the {side}: {why} (at least {})", longer(plan, *limit * 3))
        }
        _ => format!("the {side}: {why}"),
    };
    result.skipped.push(SkippedTier {
        tier: Tier::Deterministic,
        reason,
    });
}

/// The option that gives counting this much time.
fn longer(plan: &GatePlan, needed: Duration) -> String {
    let time = match plan.duet {
        Some(_) => time_to_count(needed),
        None => needed,
    };
    format!("--max-time {}s", time.as_secs() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::plan::GateRequest;

    fn plan() -> GatePlan {
        GatePlan::without_duet(GateRequest {
            budgets: std::collections::BTreeMap::new(),
            workload: crate::load::Workload::default(),
            cells: Vec::new(),
            max_time: Duration::from_secs(60),
            exchange: Duration::ZERO,
            counts: true,
            sessions: None,
        })
    }

    /// The base takes 1,000 instructions, the candidate this many; system calls are equal.
    fn figures(candidate: f64) -> CountedFigures {
        let exactly = |count: f64| PerOp {
            estimate: count,
            low: count,
            high: count,
        };
        CountedFigures {
            instructions: Pair {
                base: exactly(1_000.0),
                candidate: exactly(candidate),
            },
            syscalls: Pair::both(exactly(3.0)),
            runs: 4,
            notes: vec!["a note".to_owned()],
            functions: None,
        }
    }

    fn confirmed(first: f64, again: Result<f64, CountError>) -> GateResult {
        let mut result = GateResult::default();
        confirm(&mut result, &plan(), figures(first), || again.map(figures));
        result
    }

    #[test]
    fn what_looks_worse_is_counted_again() {
        let worse = confirmed(1_100.0, Ok(1_110.0));
        assert_eq!(worse.verdict(), CellVerdict::Fail);
        let cell = &worse.cells[0];
        assert_eq!(
            (cell.candidate, cell.comparison.sessions),
            (Some(1_105.0), 8)
        );
        assert_eq!(worse.notes, ["a note"]);
        // The counts differ by 8 %: the runs of the first count agreed by chance.
        let chance = confirmed(1_100.0, Ok(1_020.0));
        assert_eq!(
            chance.cells[0].comparison.verdict,
            CellVerdict::Inconclusive
        );
        assert_eq!(
            chance.cells[0].comparison.low_pct.map(f64::round),
            Some(2.0)
        );
        assert_eq!(chance.cells[1].comparison.verdict, CellVerdict::Pass);
    }

    #[test]
    fn what_does_not_look_worse_is_not() {
        let again = Err(CountError::Attached);
        let same = confirmed(1_010.0, again);
        assert_eq!(same.verdict(), CellVerdict::Pass);
    }

    #[test]
    fn what_cannot_be_counted_again_is_open() {
        let result = confirmed(1_100.0, Err(CountError::NoValgrind));
        assert_eq!(result.verdict(), CellVerdict::Inconclusive);
        let reason = result.cells[0].reason.as_ref().unwrap();
        assert!(
            reason.contains("counted again to make sure: valgrind"),
            "{reason}"
        );
        assert!(result.cells[0].decides && result.cells[0].base == Some(1_000.0));
    }
}
