//! The number of counted runs, and of requests in each. Pure.

use std::time::Duration;

use super::{CountError, CountedRun};
use crate::load::Workload;

/// Requests of a short run: enough to get past the special work for a server's first requests.
const FEW: u64 = 256;
/// Requests of a short run of a very slow server.
const FEW_LEAST: u64 = 32;
/// Maximum requests of a long run: more do not improve precision.
const MANY_MAX: u64 = 20_000;
/// Minimum ratio of the requests of long and short runs.
const LEVER: u64 = 4;

/// Maximum CPU use of an idle server, as a share of a core: one that uses more works by itself.
const IDLE_CPU_MAX: f64 = 0.001;
/// A fixed rate gives each request this many times its usual duration.
const PACE_FACTOR: f64 = 1.5;

/// How long counting may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The target duration: as many requests are made as fit into it. A slow start may exceed it.
    pub aim: Duration,
    /// The maximum duration: counting that would exceed it does not begin, and counting that does exceed it is
    /// aborted. Also the longest wait for a start or a reply.
    pub limit: Duration,
}

/// The runs of a count.
#[derive(Debug, Clone, PartialEq)]
pub struct CountPlan {
    /// The requests, on one connection.
    pub workload: Workload,
    /// Requests of each run, in order, short and long runs alternating. Long runs differ in length, so that periodic
    /// work does not fall on the same request each time.
    pub requests: Vec<u64>,
    /// The interval between requests for servers that work by themselves as time passes: at a fixed rate each request
    /// contains the same share of that work, on both sides and in every run. `None`: the next request is sent as soon
    /// as the server sleeps.
    pub pace: Option<Duration>,
    /// Longest wait for a start or a reply, and for all runs together.
    pub patience: Duration,
}

/// A run that measured the speed of a server.
#[derive(Debug, Clone, PartialEq)]
pub struct Gauge {
    /// The run itself, a short one.
    pub run: CountedRun,
    /// The duration of a request, without the first ones.
    pub request: Duration,
    /// The duration of start and exit together.
    pub around: Duration,
    /// CPU use of the idle server, as a share of a core.
    pub idle_cpu: f64,
    /// See [`super::CountMethod::tool`].
    pub tool: String,
}

impl CountPlan {
    /// As many requests as the slowest of these servers handles in the time. The gauges are the first runs. The
    /// second short run is left out if starting takes long.
    ///
    /// # Errors
    /// [`CountError::TooSlow`] if even the minimum would take too long.
    pub(crate) fn fitting(
        workload: &Workload,
        gauges: &[&Gauge],
        span: Span,
    ) -> Result<Self, CountError> {
        let slowest = |of: fn(&Gauge) -> Duration| gauges.iter().map(|gauge| of(gauge)).max();
        let mut request = slowest(|gauge| gauge.request).unwrap_or_default();
        let works = gauges.iter().any(|gauge| gauge.idle_cpu > IDLE_CPU_MAX);
        let pace = works.then(|| request.mul_f64(PACE_FACTOR));
        request = pace.unwrap_or(request);
        let around = slowest(|gauge| gauge.around).unwrap_or_default();
        let few = gauges.iter().map(|gauge| gauge.run.requests).max();
        let few = few.unwrap_or(FEW);
        let runs = match around * 4 + request * (2 * few + 2 * LEVER * few) as u32 {
            short if short <= span.aim => 4,
            _ => 3,
        };
        let left = span
            .aim
            .saturating_sub(around * runs + request * ((runs - 2) * few as u32));
        let both = left.as_nanos() / request.as_nanos().max(1);
        let many = u64::try_from(both * 8 / 17).unwrap_or(MANY_MAX);
        let many = many.clamp(few * LEVER, MANY_MAX.max(few * LEVER));
        let mut plan = Self {
            pace,
            ..Self::of(workload, few, many, span.limit)
        };
        // A gauge has no fixed rate, so it is not among the runs of a paced count.
        if runs == 3 || pace.is_some() {
            plan.requests.remove(2);
        }
        let all: u64 = plan.requests.iter().sum();
        let needed = around * runs + request * all as u32;
        if needed > span.limit.max(span.aim) {
            return Err(CountError::TooSlow {
                request,
                around,
                needed,
                limit: span.limit,
            });
        }
        Ok(plan)
    }

    /// Two short and two long runs of approximately these lengths, in whole rounds of the turns.
    pub fn of(workload: &Workload, few: u64, many: u64, patience: Duration) -> Self {
        let few = rounded(workload, few);
        let [many, more] = [many, many + many / 8].map(|requests| rounded(workload, requests));
        Self {
            workload: same_words(workload),
            requests: vec![few, many, few, more],
            pace: None,
            patience,
        }
    }

    /// The plan for DHAT, which is slow and exact.
    pub(crate) fn for_allocations(&self) -> Self {
        let few = self.requests.first().copied().unwrap_or(FEW);
        let mut plan = Self::of(&self.workload, few, few * LEVER, self.patience);
        plan.requests.remove(2);
        plan
    }
}

/// The workload with the same seed in all counts: the work of a server may depend on the tokens it receives.
pub(super) fn same_words(workload: &Workload) -> Workload {
    Workload {
        seed: 0,
        ..workload.clone()
    }
}

/// Minimum and maximum number of requests of a gauge.
pub(super) fn gauge_requests(workload: &Workload) -> [u64; 2] {
    let least = rounded(workload, FEW_LEAST);
    [least, least * (FEW / FEW_LEAST)]
}

/// Rounds up to whole rounds of the turns.
fn rounded(workload: &Workload, requests: u64) -> u64 {
    let turns = (workload.turns.len() as u64).max(1);
    requests.div_ceil(turns) * turns
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span {
        aim: Duration::from_secs(10),
        limit: Duration::from_secs(30),
    };

    fn gauge(request_us: u64, around_ms: u64, requests: u64) -> Gauge {
        Gauge {
            run: CountedRun {
                requests,
                seconds: 1.0,
                cpu_s: 1.0,
                totals: [0; 2],
            },
            request: Duration::from_micros(request_us),
            around: Duration::from_millis(around_ms),
            idle_cpu: 0.0,
            tool: String::new(),
        }
    }

    fn plan(gauges: &[&Gauge]) -> Result<CountPlan, CountError> {
        CountPlan::fitting(&Workload::default(), gauges, SPAN)
    }

    #[test]
    fn the_slower_server_decides_and_the_time_is_used() {
        let (fast, slow) = (gauge(200, 1_000, 256), gauge(700, 1_500, 256));
        let plan_of_both = plan(&[&fast, &slow]).unwrap();
        let all: u64 = plan_of_both.requests.iter().sum();
        let seconds = 4.0 * 1.5 + 700e-6 * all as f64;
        assert!((9.9..=10.0).contains(&seconds), "{seconds}");
        assert_eq!(plan_of_both.requests.len(), 4);
        assert_eq!(plan_of_both.requests[2], 256);
        assert!(plan_of_both.requests[3] >= plan_of_both.requests[1] * 9 / 8);
        let quick = plan(&[&gauge(10, 100, 256)]).unwrap();
        assert_eq!(quick.requests[1], MANY_MAX);
    }

    #[test]
    fn where_starting_takes_all_the_time_fewest_are_held() {
        let slow = plan(&[&gauge(1_000, 8_000, 256)]).unwrap();
        assert_eq!(slow.requests, [256, 1_024, 1_152]);
        let very_slow = plan(&[&gauge(20_000, 3_000, 32)]).unwrap();
        assert_eq!(very_slow.requests[0], 32);
        let trouble = plan(&[&gauge(1_000, 12_000, 256)]).unwrap_err().to_string();
        assert!(trouble.contains("start and exit 12s"), "{trouble}");
        assert!(
            trouble.contains("takes 38s, and the limit is 30s"),
            "{trouble}"
        );
    }

    #[test]
    fn one_that_works_on_its_own_is_asked_at_a_fixed_rate() {
        let quiet = gauge(500, 1_000, 256);
        let own = Gauge {
            idle_cpu: 0.02,
            ..quiet.clone()
        };
        assert_eq!(plan(&[&quiet, &quiet]).unwrap().pace, None);
        let paced = plan(&[&quiet, &own]).unwrap();
        assert_eq!(paced.pace, Some(Duration::from_micros(750)));
        let all: u64 = paced.requests.iter().sum();
        assert_eq!(paced.requests.len(), 3);
        let seconds = 4.0 + 750e-6 * (all + 256) as f64;
        assert!((9.9..=10.0).contains(&seconds), "{seconds}");
    }

    #[test]
    fn turns_are_said_in_whole_rounds() {
        let workload = Workload {
            turns: vec![0, 1, 2],
            ..Workload::default()
        };
        let plan = CountPlan::of(&workload, 100, 1_000, SPAN.limit);
        assert_eq!(plan.requests, [102, 1_002, 102, 1_125]);
        assert_eq!(plan.for_allocations().requests, [102, 408, 459]);
        assert_eq!(gauge_requests(&workload), [33, 264]);
    }
}
