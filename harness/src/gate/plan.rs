//! What a gate is to do, and how its time is divided.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::duet::{DuetPlan, MEASURED_MIN};
use super::matrix::{MatrixCell, MatrixPlan};
use super::metric::{ALL, Metric, Tier};
use super::rule::{CONTROL_LEAST, CONTROL_SESSIONS, FIRST_SESSIONS, second_sessions};
use crate::load::Workload;

/// How long a gate may take if nothing else is said.
pub const MAX_TIME: Duration = Duration::from_secs(60);
/// A session that is not pressed for time.
const SESSION: Duration = Duration::from_millis(1_120);
/// Exchanges that are not measured, at the begin of a session: the tenth part of it, at most this.
const WARMUP_MAX: Duration = Duration::from_millis(120);
/// What counting under valgrind takes, of a usual gate.
const COUNTING: Duration = Duration::from_secs(10);
/// Of a long gate it takes this part.
const COUNTING_PART: u32 = 8;
/// What takes more than so many times the time there is for it is left out: the duet needs the rest.
pub(super) const COUNTING_LATE: u32 = 2;
/// With so much time allocations are counted too.
const ALLOCATIONS_FROM: Duration = Duration::from_secs(90);
/// With so much time loads are compared too.
const MATRIX_FROM: Duration = Duration::from_secs(90);
/// The trial of both conversations, and what nobody thought of.
const BESIDE: Duration = Duration::from_secs(2);

/// A gate, complete and validated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GatePlan {
    /// By how much each metric may be worse, as a share of the base.
    pub budgets: BTreeMap<Metric, f64>,
    /// Metrics that decide.
    pub deciding: Vec<Metric>,
    /// What is said, on one connection.
    pub workload: Workload,
    /// The duet; `None` if there is no base that could be started.
    pub duet: Option<DuetPlan>,
    /// Loads on both servers in turn; `None` if there is no time for them.
    pub matrix: Option<MatrixPlan>,
    /// Time for counting under valgrind; `None`: it is left out.
    #[serde(
        rename = "counting_s",
        serialize_with = "crate::data::seconds::seconds_if_any"
    )]
    pub counting: Option<Duration>,
    /// Whether allocations are counted as well, which takes as long again.
    pub allocations: bool,
    /// How long all of it may take.
    #[serde(
        rename = "max_time_s",
        serialize_with = "crate::data::seconds::seconds"
    )]
    pub max_time: Duration,
}

/// What is asked of a gate.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Budgets that were given, as shares of the base: these metrics decide, beside those that always do.
    pub budgets: BTreeMap<Metric, f64>,
    /// What each connection says.
    pub workload: Workload,
    /// Loads that could be compared.
    pub cells: Vec<MatrixCell>,
    /// How long it may take.
    pub max_time: Duration,
    /// Whether there is time to be kept for counting under valgrind.
    pub counts: bool,
    /// Sessions of the first stage; `None`: as many as there is time for, 20 at least.
    pub sessions: Option<usize>,
}

/// Why the time does not do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{why}")]
pub struct TooShort {
    why: String,
    /// What would do.
    pub needed: Duration,
}

impl GatePlan {
    /// Divides the time. `overhead` is what it takes to start and end both servers.
    ///
    /// # Errors
    /// So little time is left for each session that nothing could be seen.
    pub fn new(asked: Asked, overhead: Duration) -> Result<Self, TooShort> {
        let max_time = asked.max_time;
        let matrix = asked.matrix(overhead)?;
        let counting = asked.counting(max_time);
        let beside =
            asked.beside(max_time) + matrix.as_ref().map_or(Duration::ZERO, MatrixPlan::time);
        let sessions = asked.sessions;
        let alone = Self::without_duet(asked);
        let left = max_time.saturating_sub(beside);
        let real = sessions.unwrap_or_else(|| fitting(left, overhead));
        let (control, fresh) = beside_real(real);
        let all = real + control + fresh;
        let session = (left / all as u32).min(usual_session(overhead));
        let warmup = WARMUP_MAX.min(session / 10);
        let measured = session.saturating_sub(warmup + overhead);
        if measured < MEASURED_MIN {
            return Err(TooShort {
                why: format!(
                    "{all} sessions in {max_time:.0?} leave {session:.0?} for each, and starting and ending both servers takes {overhead:.0?} of it"
                ),
                needed: needed(overhead, all),
            });
        }
        Ok(Self {
            duet: Some(DuetPlan {
                real,
                control,
                fresh,
                planted: alone.budget(Metric::ServerCpu),
                warmup,
                measured,
                session,
                workload: alone.workload.clone(),
            }),
            matrix,
            counting,
            ..alone
        })
    }

    /// Counts only: all of the time is theirs.
    pub fn without_duet(asked: Asked) -> Self {
        let budget = |metric: Metric| {
            let given = asked.budgets.get(&metric).copied();
            (metric, given.unwrap_or_else(|| metric.budget()))
        };
        let decides = |metric: &Metric| metric.decides() || asked.budgets.contains_key(metric);
        let allocations = asked.allocations(asked.max_time);
        Self {
            budgets: ALL.into_iter().map(budget).collect(),
            deciding: ALL.into_iter().filter(decides).collect(),
            workload: asked.workload,
            duet: None,
            matrix: None,
            counting: Some(counting_in(asked.max_time).min(asked.max_time / 4)),
            allocations,
            max_time: asked.max_time,
        }
    }

    /// What is shown while it counts, if it does.
    pub fn counting_step(&self) -> Option<String> {
        let seconds = self.counting?.as_secs();
        Some(format!("counting under valgrind, about {seconds} s"))
    }

    /// The budget of a metric.
    pub fn budget(&self, metric: Metric) -> f64 {
        self.budgets
            .get(&metric)
            .copied()
            .unwrap_or_else(|| metric.budget())
    }

    /// About how long a gate with so many sessions of the first stage would take.
    pub fn seconds_for(&self, first: usize, session: Duration) -> f64 {
        let control = self.duet.as_ref().map_or(0, |duet| duet.control);
        let all = first + control + second_sessions(first);
        let duet = session * all as u32 + BESIDE;
        let counting = |time: Duration| {
            let tools = 1 + u32::from(self.allocations || time >= ALLOCATIONS_FROM);
            self.counting.map_or(Duration::ZERO, |_| counting_in(time)) * tools
        };
        settled(duet, counting).as_secs_f64()
    }

    /// About how long a gate would take whose matrix has so many rounds: it is given half of what is added.
    pub fn seconds_for_rounds(&self, rounds: usize) -> Option<f64> {
        let matrix = self.matrix.as_ref()?;
        let more = matrix
            .with_rounds(rounds)
            .time()
            .saturating_sub(matrix.time());
        Some((self.max_time + 2 * more).as_secs_f64())
    }
}

impl Asked {
    fn counting(&self, max_time: Duration) -> Option<Duration> {
        self.counts.then(|| counting_in(max_time).min(max_time / 5))
    }

    fn allocations(&self, max_time: Duration) -> bool {
        let asked = self.budgets.contains_key(&Metric::Allocations);
        self.counts && (asked || max_time >= ALLOCATIONS_FROM)
    }

    /// What is neither duet nor matrix.
    fn beside(&self, max_time: Duration) -> Duration {
        let both = 1 + u32::from(self.allocations(max_time));
        self.counting(max_time).unwrap_or_default() * both + BESIDE.min(max_time / 10)
    }

    /// The matrix shares what is left by the counting and a usual duet with longer duets. If it has to decide,
    /// what it needs comes first.
    fn matrix(&self, overhead: Duration) -> Result<Option<MatrixPlan>, TooShort> {
        let decides = self
            .budgets
            .keys()
            .any(|metric| metric.tier() == Tier::Matrix);
        if self.cells.is_empty() || (!decides && self.max_time < MATRIX_FROM) {
            return Ok(None);
        }
        let real = self.sessions.unwrap_or(FIRST_SESSIONS);
        let (control, fresh) = beside_real(real);
        let duet = usual_session(overhead) * (real + control + fresh) as u32;
        let surplus = self
            .max_time
            .saturating_sub(self.beside(self.max_time) + duet);
        let (cells, workload) = (self.cells.clone(), self.workload.clone());
        let least = MatrixPlan::least(cells, workload, overhead, decides);
        let needs = least.time();
        let plan = least.within((surplus / 2).max(surplus.min(needs)));
        if plan.is_some() || !decides {
            return Ok(plan);
        }
        let needed = settled(duet + needs, |time| self.beside(time));
        Err(TooShort {
            why: format!(
                "{:.0?} leave {surplus:.0?} for loads beside the counting and the duet, and {needs:.0?} are needed",
                self.max_time
            ),
            needed: Duration::from_secs(needed.as_secs() + 1),
        })
    }
}

/// What counting takes of a gate that has so much time.
fn counting_in(max_time: Duration) -> Duration {
    COUNTING.max(max_time / COUNTING_PART)
}

/// How much time a gate has to have whose counting may take so long, for it not to be left out.
pub(super) fn time_to_count(needed: Duration) -> Duration {
    needed * COUNTING_PART / COUNTING_LATE
}

/// The time that leaves so much beside what depends on all of it.
fn settled(rest: Duration, beside: impl Fn(Duration) -> Duration) -> Duration {
    (0..12).fold(rest, |time, _| rest + beside(time))
}

/// Control sessions, and sessions that decide about a suspect, of a duet with so many of the first stage.
fn beside_real(real: usize) -> (usize, usize) {
    let control = CONTROL_SESSIONS.min(real).max(CONTROL_LEAST);
    (control, second_sessions(real))
}

/// How long a session is that is not pressed for time.
fn usual_session(overhead: Duration) -> Duration {
    SESSION.max(overhead * 5)
}

/// Sessions of the first stage: more than the usual ones only where there is time for them.
fn fitting(time: Duration, overhead: Duration) -> usize {
    let session = usual_session(overhead);
    let fitting = (time.as_nanos() / session.as_nanos().max(1)) as usize;
    let all = |real: usize| real + CONTROL_SESSIONS + second_sessions(real);
    let more = FIRST_SESSIONS + 1..=fitting.max(FIRST_SESSIONS);
    let more = more.take_while(|real| all(*real) <= fitting).last();
    more.unwrap_or(FIRST_SESSIONS)
}

/// Whole seconds in which each of so many sessions has a fair time, and the counting as well.
fn needed(overhead: Duration, sessions: usize) -> Duration {
    let each = overhead + 2 * MEASURED_MIN + WARMUP_MAX;
    let all = each * sessions as u32 * 5 / 4 + BESIDE;
    Duration::from_secs(all.as_secs() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seconds: u64, overhead_ms: u64) -> Result<GatePlan, TooShort> {
        let asked = Asked {
            budgets: BTreeMap::from([(Metric::P99, 0.5)]),
            workload: Workload::default(),
            cells: Vec::new(),
            max_time: Duration::from_secs(seconds),
            counts: true,
            sessions: None,
        };
        GatePlan::new(asked, Duration::from_millis(overhead_ms))
    }

    #[test]
    fn a_minute_is_twenty_real_ten_control_and_twelve_fresh_sessions_of_a_second() {
        let duet = plan(60, 20).unwrap().duet.unwrap();
        assert_eq!((duet.real, duet.control, duet.fresh), (20, 10, 12));
        assert!(duet.measured > Duration::from_millis(900), "{duet:?}");
    }

    #[test]
    fn all_sessions_fit_and_more_time_is_more_sessions() {
        for seconds in [20, 60, 90, 300] {
            let overhead = Duration::from_millis(20);
            let plan = plan(seconds, 20).unwrap();
            let duet = plan.duet.as_ref().unwrap();
            let each = duet.warmup + duet.measured + overhead;
            let all = duet.real + duet.control + duet.fresh;
            let whole = each * all as u32 + plan.counting.unwrap();
            assert!(whole <= Duration::from_secs(seconds), "{seconds}: {plan:?}");
            assert!(
                seconds < 60 || whole > Duration::from_secs(seconds) * 4 / 5,
                "{whole:?}"
            );
        }
        assert!(plan(300, 20).unwrap().duet.unwrap().real > 100);
    }

    #[test]
    fn what_took_longer_before_is_taken_from_the_sessions() {
        let duet = plan(60, 20).unwrap().duet.unwrap();
        let all = duet.real + duet.control + duet.fresh;
        assert_eq!(duet.within(duet.session * all as u32, all), duet);
        let late = duet.within(duet.session * all as u32 / 2, all);
        assert!(
            late.session * 2 <= duet.session + Duration::from_millis(1),
            "{late:?}"
        );
        assert_eq!(duet.measured - late.measured, duet.session - late.session);
        assert_eq!(duet.within(Duration::ZERO, all).measured, MEASURED_MIN);
    }

    #[test]
    fn what_is_slow_to_count_is_counted_in_the_time_that_is_said_to_do() {
        for needed in [21, 44, 200].map(Duration::from_secs) {
            let plan = plan(time_to_count(needed).as_secs() + 1, 20).unwrap();
            let limit = plan.counting.unwrap() * COUNTING_LATE;
            assert!(limit >= needed, "{limit:?} of {needed:?}");
        }
    }

    #[test]
    fn a_server_that_takes_a_second_to_start_needs_longer_and_that_is_said() {
        let too_short = plan(60, 2_000).unwrap_err();
        let longer = plan(too_short.needed.as_secs() * 5 / 4 + 1, 2_000);
        assert!(longer.is_ok(), "{too_short:?}");
    }

    /// Four loads; throughput decides, or nothing of the matrix does.
    fn with_loads(seconds: u64, decides: bool) -> Result<GatePlan, TooShort> {
        let cell = |connections| MatrixCell::new(Some(64), vec![0], connections);
        let asked = Asked {
            budgets: match decides {
                true => BTreeMap::from([(Metric::Throughput, 0.1)]),
                false => BTreeMap::new(),
            },
            workload: Workload::default(),
            cells: [1, 2, 10, 50].map(cell).to_vec(),
            max_time: Duration::from_secs(seconds),
            counts: true,
            sessions: None,
        };
        GatePlan::new(asked, Duration::from_millis(20))
    }

    #[test]
    fn loads_get_about_half_of_what_a_usual_gate_leaves() {
        for seconds in [20, 60, 89] {
            assert_eq!(with_loads(seconds, false).unwrap().matrix, None);
        }
        for seconds in [120, 200, 600] {
            let plan = with_loads(seconds, false).unwrap();
            let (duet, matrix) = (plan.duet.unwrap(), plan.matrix.unwrap());
            let half = Duration::from_secs(seconds - 60) / 2;
            assert!(matrix.time() <= half && matrix.rounds >= 8, "{matrix:?}");
            assert!(matrix.time() >= half / 2, "{matrix:?}");
            assert!(
                duet.real >= 20 && (seconds < 200 || duet.real > 40),
                "{duet:?}"
            );
        }
    }

    #[test]
    fn loads_that_have_to_decide_need_time_and_what_would_do_is_said() {
        for seconds in [5, 20, 60, 70] {
            let too_short = with_loads(seconds, true).unwrap_err();
            let plan = with_loads(too_short.needed.as_secs(), true).unwrap();
            let matrix = plan.matrix.unwrap();
            assert!(matrix.rounds >= 8 && matrix.fresh_cells >= 1, "{matrix:?}");
            assert!(too_short.needed < Duration::from_secs(100), "{too_short:?}");
        }
    }

    #[test]
    fn a_metric_that_is_given_a_budget_decides() {
        let plan = plan(60, 20).unwrap();
        assert!(plan.deciding.contains(&Metric::P99) && plan.deciding.contains(&Metric::ServerCpu));
        assert!(!plan.deciding.contains(&Metric::Throughput));
        assert_eq!(
            (plan.budget(Metric::P99), plan.budget(Metric::Rss)),
            (0.5, 0.1)
        );
    }
}
