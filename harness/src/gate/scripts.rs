//! Names the functions of a server that an interpreter runs, if that has a profiler.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::counted::add_notes;
use super::counters::{CountError, script_of_both};
use super::explain::{explain_script, has_changed};
use super::metric::Metric;
use super::plan::GatePlan;
use super::result::{CostSource, Explained, GateCell, GateResult};
use super::rule::CellVerdict;
use super::side::{Pair, Side};
use crate::load::visit::start;
use crate::process::{Interpreter, executables, program_name};
use crate::subject::{Interrupt, Subject, runtime};

/// Maximum time for it: starting both servers takes most of it.
const TIME_MAX: Duration = Duration::from_secs(12);
/// Minimum time in which it makes sense.
const TIME_MIN: Duration = Duration::from_secs(1);

/// The part of the time limit that sessions of scripts leave for it: one eighth.
const TIME_PART: u32 = 8;
/// The part of its time in which starts and requests have to be over.
const MEASURED_PART: f64 = 0.75;
/// Why there was no profile.
const TIME_OVER: &str = "the time was over: allow more (--max-time)";

/// Names the functions once.
pub(super) struct Scripts<'a> {
    subjects: Pair<&'a Subject>,
    plan: &'a GatePlan,
    interrupt: &'a Interrupt,
    is_done: bool,
    /// Why there are none, although an interpreter with a profiler runs the server.
    trouble: Option<String>,
}

impl<'a> Scripts<'a> {
    pub(super) fn new(
        subjects: Pair<&'a Subject>,
        plan: &'a GatePlan,
        interrupt: &'a Interrupt,
    ) -> Self {
        Self {
            subjects,
            plan,
            interrupt,
            is_done: false,
            trouble: None,
        }
    }

    /// As [`Self::explain`], if what is counted later cannot change the verdict, or if the user wants to know.
    pub(super) fn explain_early(&mut self, result: &mut GateResult, left: Duration) {
        if self.plan.explain || result.cells.iter().any(GateCell::fails) {
            self.explain(result, left);
        }
    }

    /// Names the functions in which the CPU time of an operation changed, if it did, and if something got worse or the user wants
    /// to know. Does so once.
    pub(super) fn explain(&mut self, result: &mut GateResult, left: Duration) {
        let is_wanted = self.plan.explain || result.cells.iter().any(is_suspect);
        let changed = |cell: &&GateCell| cell.metric.is_cpu_of_operations() && has_changed(cell);
        let changed = result.cells.iter().find(changed);
        let Some(changed) = changed.filter(|_| is_wanted && !self.is_done) else {
            return;
        };
        self.is_done = true;
        let is_worse = changed.comparison.estimate_pct > Some(0.0);
        match self.explained(is_worse, left.min(TIME_MAX)) {
            Ok(explained) => result.explained.splice(..0, explained).for_each(drop),
            Err(why) => self.trouble = why,
        }
    }

    /// Nothing if no interpreter with a profiler runs the server. The error is why the functions are not known; `None` after an
    /// interrupt.
    fn explained(
        &self,
        is_worse: bool,
        limit: Duration,
    ) -> Result<Option<Explained>, Option<String>> {
        if limit < TIME_MIN {
            let is_script = is_script(self.subjects.candidate);
            return Err(is_script.then(|| TIME_OVER.to_owned()));
        }
        // Stopping the servers takes the rest.
        let limit = limit.mul_f64(MEASURED_PART);
        let limited = self.interrupt.or_at(Instant::now() + limit);
        let Some((interpreter, program)) = self.interpreter(limit) else {
            return Ok(None);
        };
        let workload = &self.plan.workload;
        let places = script_of_both(self.subjects, workload, interpreter, limit, &limited);
        let places = places.map_err(|(side, why)| match why {
            CountError::Interrupted if self.interrupt.is_set() => None,
            CountError::Interrupted => Some(TIME_OVER.to_owned()),
            why => Some(format!("the {side}: {}", without_valgrind(&why))),
        })?;
        let explained = explain_script(interpreter, &places, is_worse);
        explained.map(Some).map_err(|Pair { base, candidate }| {
            Some(format!(
                "the profiler of {program} does not show the change: {base:.1} µs per operation in the base, {candidate:.1} µs in the candidate"
            ))
        })
    }

    /// The interpreter that runs both servers, and the name of its program.
    fn interpreter(&self, left: Duration) -> Option<(Interpreter, String)> {
        let runtime = runtime();
        let started = Pair::try_of(Side::Candidate, |side| {
            start(&runtime, self.subjects[side], None, Some(left))
        });
        let programs = started.ok()?.map(|server| executables(&server.pids()));
        Interpreter::ALL.into_iter().find_map(|interpreter| {
            let found = programs
                .as_ref()
                .map(|programs| interpreter.among(programs));
            found.base?;
            Some((interpreter, program_name(found.candidate?).to_owned()))
        })
    }

    /// Removes the functions of the interpreter if those of the script are known, or else says that they are not.
    pub(super) fn replace(&self, result: &mut GateResult, interpreter: Option<&str>) {
        let is_script = |by| by != CostSource::Counted;
        if result.explained.iter().any(|one| is_script(one.by)) {
            let is_own = |one: &Explained| is_script(one.by) || one.metric != Metric::Instructions;
            result.explained.retain(is_own);
            return;
        }
        let why = self.trouble.as_ref();
        let note = match (interpreter, why) {
            (Some(program), None) => format!(
                "{program} is an interpreter: the functions are its own, and those of the server cannot be told"
            ),
            (Some(program), Some(why)) => format!(
                "{program} is an interpreter: the functions are its own, and those of the server are not known: {why}"
            ),
            (None, Some(why)) => format!("the functions of the server are not known: {why}"),
            (None, None) => return,
        };
        add_notes(result, std::iter::once(note));
    }
}

/// The time that the sessions leave for it.
pub(super) fn scripts_time(subjects: Pair<&Subject>, max_time: Duration) -> Duration {
    if is_script(subjects.candidate) {
        max_time / TIME_PART
    } else {
        Duration::ZERO
    }
}

/// Whether the command begins with an interpreter that has a profiler.
fn is_script(subject: &Subject) -> bool {
    let program = subject.launch().and_then(|launch| launch.cmd.first());
    let program: Vec<PathBuf> = program.map(PathBuf::from).into_iter().collect();
    let mut all = Interpreter::ALL.into_iter();
    all.any(|interpreter| interpreter.among(&program).is_some())
}

/// Whether a metric got worse, or seems to have.
fn is_suspect(cell: &GateCell) -> bool {
    let comparison = &cell.comparison;
    let exceeds = comparison.estimate_pct > Some(comparison.budget_pct);
    let matters = cell.decides || cell.metric.is_counted();
    matters && exceeds && comparison.verdict != CellVerdict::Pass
}

/// Most reasons speak of valgrind, which was not used.
fn without_valgrind(why: &CountError) -> String {
    match why {
        CountError::Start { failure } => {
            format!("it did not start with the profiler: {failure}")
        }
        CountError::Exchange { number, why, .. } => {
            format!("with the profiler exchange {number} failed: {why}")
        }
        CountError::OutOfTime { .. } => TIME_OVER.to_owned(),
        CountError::Malformed { why, .. } => format!("its profile is malformed: {why}"),
        why => why.to_string(),
    }
}
