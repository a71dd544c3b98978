//! What a gate does, and how its time is divided.

mod duet;
mod matrix;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::duet::DuetPlan;
use self::duet::MEASURED_MIN;
pub(crate) use self::matrix::cells;
pub use self::matrix::{MatrixCell, MatrixPlan};
use super::metric::{ALL, Metric, Tier};
use super::rule::{CONTROL_LEAST, CONTROL_SESSIONS, FIRST_SESSIONS, second_sessions};
use crate::load::Workload;

/// Default time limit of a gate.
pub(crate) const MAX_TIME: Duration = Duration::from_secs(60);
/// Usual length of a duet session, including start and stop of both servers.
const SESSION: Duration = Duration::from_millis(1_120);
/// Maximum unmeasured time at the start of a session; otherwise it is a tenth of the session.
const WARMUP_MAX: Duration = Duration::from_millis(120);
/// Minimum time reserved for counting under valgrind.
const COUNTING: Duration = Duration::from_secs(10);
/// A long gate reserves this fraction of its time for counting: one eighth.
const COUNTING_PART: u32 = 8;
/// Counting that takes long has at least this fraction of the time limit: a duet that has to confirm nothing leaves more
/// than a third.
const COUNTING_MAX_PART: u32 = 3;
/// Minimum time limit for allocations to be counted by default.
const ALLOCATIONS_FROM: Duration = Duration::from_secs(90);
/// Minimum time limit for loads to be compared by default.
const MATRIX_FROM: Duration = Duration::from_secs(90);
/// Time reserved for the rehearsal of both servers and for overhead.
const RESERVE: Duration = Duration::from_secs(2);

/// A validated gate.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct GatePlan {
    /// How much worse each metric may become, as a share of the base.
    pub budgets: BTreeMap<Metric, f64>,
    /// Metrics that decide.
    pub deciding: Vec<Metric>,
    /// Metrics that the user gave a budget.
    pub asked: Vec<Metric>,
    /// What the duet and the counting say, on one connection.
    pub workload: Workload,
    /// The duet; `None` if there is no base to start.
    pub duet: Option<DuetPlan>,
    /// Loads on both servers in turn; `None` if there is no time for them.
    pub matrix: Option<MatrixPlan>,
    /// Time reserved for counting under valgrind; `None` if counting is skipped.
    #[serde(
        rename = "counting_s",
        serialize_with = "crate::data::seconds::seconds_if_any",
        deserialize_with = "crate::data::seconds::read_if_any"
    )]
    #[schemars(with = "Option<f64>")]
    pub counting: Option<Duration>,
    /// Time to start and stop both servers once, outside valgrind.
    #[serde(rename = "overhead_s", with = "crate::data::seconds")]
    #[schemars(with = "f64")]
    pub overhead: Duration,
    /// Whether allocations are counted as well, which takes the same time again.
    pub allocations: bool,
    /// Whether the functions in which something changed are named even if no metric got worse.
    pub explain: bool,
    /// Time limit of the whole gate.
    #[serde(rename = "max_time_s", with = "crate::data::seconds")]
    #[schemars(with = "f64")]
    pub max_time: Duration,
}

/// What the user asks of a gate.
#[derive(Debug, Clone)]
pub struct GateRequest {
    /// Budgets as shares of the base. These metrics decide, in addition to those that always do.
    pub budgets: BTreeMap<Metric, f64>,
    /// What each connection says.
    pub workload: Workload,
    /// Loads that can be compared.
    pub cells: Vec<MatrixCell>,
    /// Time limit of the whole gate.
    pub max_time: Duration,
    /// The slowest exchange of the base in its rehearsal.
    pub exchange: Duration,
    /// Whether to reserve time for counting under valgrind.
    pub counts: bool,
    /// Sessions of the first stage; `None`: at least 20, and more if the time allows.
    pub sessions: Option<usize>,
}

/// The time limit is too short for the gate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{why}")]
pub struct TooShort {
    why: String,
    /// A time limit that suffices.
    pub needed: Duration,
}

impl GatePlan {
    /// Divides the time. `overhead` is the time to start and stop both servers once.
    ///
    /// # Errors
    /// The sessions would be too short to measure anything, or the loads that have to decide do not fit.
    pub fn new(request: GateRequest, overhead: Duration) -> Result<Self, TooShort> {
        let max_time = request.max_time;
        let matrix = request.matrix(overhead)?;
        let counting = request.counting(max_time);
        let other =
            request.besides(max_time) + matrix.as_ref().map_or(Duration::ZERO, MatrixPlan::time);
        let sessions = request.sessions;
        let patience = duet::patience(max_time, request.exchange);
        let without_duet = Self::without_duet(request);
        let left = max_time.saturating_sub(other);
        let real = sessions.unwrap_or_else(|| fitting(left, overhead));
        let (control, fresh) = besides_real(real);
        let all = real + control + fresh;
        let session = (left / all as u32).min(usual_session(overhead));
        let warmup = WARMUP_MAX.min(session / 10);
        let measured = session.saturating_sub(warmup + overhead);
        if measured < MEASURED_MIN {
            return Err(TooShort {
                why: format!(
                    "{all} sessions in {max_time:.0?} leave {session:.0?} per session, and starting and stopping both servers takes {overhead:.0?} of it"
                ),
                needed: needed(overhead, all),
            });
        }
        Ok(Self {
            duet: Some(DuetPlan {
                real,
                control,
                fresh,
                planted: without_duet.budget(Metric::ServerCpu),
                warmup,
                measured,
                session,
                patience,
                workload: without_duet.workload.clone(),
            }),
            matrix,
            counting,
            overhead,
            ..without_duet
        })
    }

    /// A gate that only counts: counting gets all of the time.
    pub fn without_duet(request: GateRequest) -> Self {
        let budget = |metric: Metric| {
            let given = request.budgets.get(&metric).copied();
            (metric, given.unwrap_or_else(|| metric.budget()))
        };
        let decides = |metric: &Metric| metric.decides() || request.budgets.contains_key(metric);
        let allocations = request.allocations(request.max_time);
        let asked = request.budgets.keys().copied().collect();
        Self {
            budgets: ALL.into_iter().map(budget).collect(),
            asked,
            deciding: ALL.into_iter().filter(decides).collect(),
            workload: request.workload,
            duet: None,
            matrix: None,
            counting: Some(counting_in(request.max_time).min(request.max_time / 4)),
            overhead: Duration::ZERO,
            allocations,
            explain: false,
            max_time: request.max_time,
        }
    }

    /// The plan in a report, as far as it decides how samples are judged.
    ///
    /// # Errors
    /// It is not the plan of a gate.
    #[cfg(feature = "cli")]
    pub(crate) fn of_report(plan: &serde_json::Value) -> Result<Self, serde_json::Error> {
        let mut plan = Self::deserialize(plan)?;
        if let Some(matrix) = &mut plan.matrix {
            matrix.overhead = plan.overhead;
        }
        Ok(plan)
    }

    /// Time reserved for counting, with allocations.
    pub(super) fn counting_time(&self) -> Duration {
        self.counting.unwrap_or_default() * (1 + u32::from(self.allocations))
    }

    /// Time reserved for the matrix.
    pub(super) fn matrix_time(&self) -> Duration {
        let matrix = self.matrix.as_ref();
        matrix.map_or(Duration::ZERO, MatrixPlan::time)
    }

    /// The progress message of the counting; `None` if counting is skipped.
    pub(crate) fn counting_step(&self) -> Option<String> {
        let seconds = self.counting?.as_secs();
        Some(format!("counting under valgrind, about {seconds} s"))
    }

    /// The budget of a metric, as a share of the base.
    pub(crate) fn budget(&self, metric: Metric) -> f64 {
        self.budgets
            .get(&metric)
            .copied()
            .unwrap_or_else(|| metric.budget())
    }

    /// Whether the verdict of the gate depends on the metric.
    pub(crate) fn decides(&self, metric: Metric) -> bool {
        self.deciding.contains(&metric)
    }

    /// Whether the user gave the metric a budget.
    pub(super) fn is_asked(&self, metric: Metric) -> bool {
        self.asked.contains(&metric)
    }

    /// Approximate duration, in seconds, of a gate with this many sessions in its first stage.
    pub(super) fn seconds_for(&self, first: usize, session: Duration) -> f64 {
        let control = self.duet.as_ref().map_or(0, |duet| duet.control);
        let all = first + control + second_sessions(first);
        let duet = session * all as u32 + RESERVE;
        let counting = |time: Duration| {
            let tools = 1 + u32::from(self.allocations || time >= ALLOCATIONS_FROM);
            self.counting.map_or(Duration::ZERO, |_| counting_in(time)) * tools
        };
        settled(duet, counting).as_secs_f64()
    }

    /// Approximate duration, in seconds, of a gate with this many matrix rounds: the matrix gets half of any
    /// additional time.
    pub(super) fn seconds_for_rounds(&self, rounds: usize) -> Option<f64> {
        let matrix = self.matrix.as_ref()?;
        let more = matrix
            .with_rounds(rounds)
            .time()
            .saturating_sub(matrix.time());
        Some((self.max_time + 2 * more).as_secs_f64())
    }
}

impl GateRequest {
    fn counting(&self, max_time: Duration) -> Option<Duration> {
        self.counts.then(|| counting_in(max_time).min(max_time / 5))
    }

    fn allocations(&self, max_time: Duration) -> bool {
        let requested = self.budgets.contains_key(&Metric::Allocations);
        self.counts && (requested || max_time >= ALLOCATIONS_FROM)
    }

    /// Time for everything except duet and matrix.
    fn besides(&self, max_time: Duration) -> Duration {
        let tools = 1 + u32::from(self.allocations(max_time));
        self.counting(max_time).unwrap_or_default() * tools + RESERVE.min(max_time / 10)
    }

    /// The matrix gets half of the time that counting and a usual duet leave. If it has to decide, its minimum
    /// comes first.
    fn matrix(&self, overhead: Duration) -> Result<Option<MatrixPlan>, TooShort> {
        let decides = self
            .budgets
            .keys()
            .any(|metric| metric.tier() == Tier::Matrix);
        if self.cells.is_empty() || (!decides && self.max_time < MATRIX_FROM) {
            return Ok(None);
        }
        let real = self.sessions.unwrap_or(FIRST_SESSIONS);
        let (control, fresh) = besides_real(real);
        let duet = usual_session(overhead) * (real + control + fresh) as u32;
        let surplus = self
            .max_time
            .saturating_sub(self.besides(self.max_time) + duet);
        let (cells, workload) = (self.cells.clone(), self.workload.clone());
        let least = MatrixPlan::least(cells, workload, overhead, decides);
        let needs = least.time();
        let plan = least.within((surplus / 2).max(surplus.min(needs)));
        if plan.is_some() || !decides {
            return Ok(plan);
        }
        let needed = settled(duet + needs, |time| self.besides(time));
        Err(TooShort {
            why: format!(
                "{:.0?} leave {surplus:.0?} for loads after counting and the sessions of both servers, and loads need {needs:.0?}",
                self.max_time
            ),
            needed: Duration::from_secs(needed.as_secs() + 1),
        })
    }
}

/// Time reserved for counting by a gate with this time limit.
fn counting_in(max_time: Duration) -> Duration {
    COUNTING.max(max_time / COUNTING_PART)
}

/// The time limit that lets counting take `needed` without being skipped.
pub(super) fn time_to_count(needed: Duration) -> Duration {
    needed * COUNTING_MAX_PART
}

/// The total time that leaves `rest` after subtracting what itself depends on the total: a fixed-point iteration.
fn settled(rest: Duration, besides: impl Fn(Duration) -> Duration) -> Duration {
    (0..12).fold(rest, |time, _| rest + besides(time))
}

/// Control sessions and fresh sessions of a duet with this many sessions in its first stage.
fn besides_real(real: usize) -> (usize, usize) {
    let control = CONTROL_SESSIONS.min(real).max(CONTROL_LEAST);
    (control, second_sessions(real))
}

/// The length of a session where time is not short.
fn usual_session(overhead: Duration) -> Duration {
    SESSION.max(overhead * 5)
}

/// Sessions of the first stage that fit into the time, never fewer than [`FIRST_SESSIONS`].
fn fitting(time: Duration, overhead: Duration) -> usize {
    let session = usual_session(overhead);
    let fitting = (time.as_nanos() / session.as_nanos().max(1)) as usize;
    let all = |real: usize| real + CONTROL_SESSIONS + second_sessions(real);
    let more = FIRST_SESSIONS + 1..=fitting.max(FIRST_SESSIONS);
    let more = more.take_while(|real| all(*real) <= fitting).last();
    more.unwrap_or(FIRST_SESSIONS)
}

/// A time limit, in whole seconds, that suffices for this many sessions and for counting.
fn needed(overhead: Duration, sessions: usize) -> Duration {
    let each = overhead + 2 * MEASURED_MIN + WARMUP_MAX;
    let all = each * sessions as u32 * 5 / 4 + RESERVE;
    Duration::from_secs(all.as_secs() + 1)
}

#[cfg(test)]
mod tests;
