//! How many lives, with how many requests each. Pure.

use std::time::Duration;

use serde::Serialize;

use super::{Life, NoCounts};
use crate::load::Workload;

/// Requests of a life with few: past what a server does only for its first ones.
const FEW: u64 = 256;
/// The same of a server that is very slow.
const FEW_LEAST: u64 = 32;
/// More requests than this make nothing more exact.
const MANY_MAX: u64 = 20_000;
/// Many are at least so many times as many.
const LEVER: u64 = 4;

/// A server that uses more than this share of a core while nothing is asked of it works on its own.
const IDLE_CPU_MAX: f64 = 0.001;
/// A fixed rate leaves each request so many times what it usually takes.
const ROOM: f64 = 1.5;

/// How long counting may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// As many requests are held as fit in this. Starting takes what it takes, so it may be more.
    pub aim: Duration,
    /// If it would take longer than this, it is not done at all, and if it does all the same, it is given up. Also
    /// the longest wait for a start or a reply.
    pub limit: Duration,
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CountPlan {
    /// What is asked; one connection.
    pub workload: Workload,
    /// Requests of each life, in order: few and many. The numbers of many differ, so that what happens only
    /// now and then does not fall on the same request each time.
    pub requests: Vec<u64>,
    /// From request to request, for servers that work on their own as time passes: at a fixed rate that is the
    /// same part of each request, on both sides and in every life. `None`: the next as soon as it sleeps.
    #[serde(
        rename = "pace_s",
        serialize_with = "crate::data::seconds::seconds_if_any"
    )]
    pub pace: Option<Duration>,
    /// Longest wait for a start or a reply, and for all lives together.
    #[serde(skip)]
    pub patience: Duration,
}

/// A life that told how fast a server is.
#[derive(Debug, Clone, PartialEq)]
pub struct Gauge {
    /// It, with few requests.
    pub life: Life,
    /// What a request took, the first ones aside.
    pub request: Duration,
    /// What start and end took together.
    pub around: Duration,
    /// The share of a core that it used while nothing was asked of it.
    pub idle_cpu: f64,
    /// As [`super::By::tool`].
    pub tool: String,
}

impl CountPlan {
    /// As many requests as can be held in the time, by servers as fast as the slowest of these. The gauges
    /// are the first lives. A second life with few is left out where starting takes long.
    ///
    /// # Errors
    /// [`NoCounts::TooSlow`] if even fewest requests would take too long.
    pub fn fitting(workload: &Workload, gauges: &[&Gauge], span: Span) -> Result<Self, NoCounts> {
        let slowest = |of: fn(&Gauge) -> Duration| gauges.iter().map(|gauge| of(gauge)).max();
        let mut request = slowest(|gauge| gauge.request).unwrap_or_default();
        let works = gauges.iter().any(|gauge| gauge.idle_cpu > IDLE_CPU_MAX);
        let pace = works.then(|| request.mul_f64(ROOM));
        request = pace.unwrap_or(request);
        let around = slowest(|gauge| gauge.around).unwrap_or_default();
        let few = gauges.iter().map(|gauge| gauge.life.requests).max();
        let few = few.unwrap_or(FEW);
        let lives = match around * 4 + request * (2 * few + 2 * LEVER * few) as u32 {
            short if short <= span.aim => 4,
            _ => 3,
        };
        let left = span
            .aim
            .saturating_sub(around * lives + request * ((lives - 2) * few as u32));
        let both = left.as_nanos() / request.as_nanos().max(1);
        let many = u64::try_from(both * 8 / 17).unwrap_or(MANY_MAX);
        let many = many.clamp(few * LEVER, MANY_MAX.max(few * LEVER));
        let mut plan = Self {
            pace,
            ..Self::of(workload, few, many, span.limit)
        };
        // At a fixed rate the gauges, which had none, are not among the lives.
        if lives == 3 || pace.is_some() {
            plan.requests.remove(2);
        }
        let all: u64 = plan.requests.iter().sum();
        let needed = around * lives + request * all as u32;
        if needed > span.limit.max(span.aim) {
            return Err(NoCounts::TooSlow {
                request,
                around,
                needed,
                limit: span.limit,
            });
        }
        Ok(plan)
    }

    /// Two lives with few and two with many requests, about so many, in whole rounds of the turns.
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

    /// The same for a tool that is slow and exact.
    pub fn for_allocations(&self) -> Self {
        let few = self.requests.first().copied().unwrap_or(FEW);
        let mut plan = Self::of(&self.workload, few, few * LEVER, self.patience);
        plan.requests.remove(2);
        plan
    }
}

/// The load with one seed for all counts: what a server does may depend on the words it is sent.
pub(super) fn same_words(workload: &Workload) -> Workload {
    Workload {
        seed: 0,
        ..workload.clone()
    }
}

/// How many requests a gauge holds at least and at most.
pub(super) fn gauge_requests(workload: &Workload) -> [u64; 2] {
    let least = rounded(workload, FEW_LEAST);
    [least, least * (FEW / FEW_LEAST)]
}

/// In whole rounds of the turns.
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
            life: Life {
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

    fn plan(gauges: &[&Gauge]) -> Result<CountPlan, NoCounts> {
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
        assert!(trouble.contains("start and end 12s"), "{trouble}");
        assert!(trouble.contains("38s, and 30s is all"), "{trouble}");
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
        let json = serde_json::to_value(&paced).unwrap();
        assert_eq!(json["pace_s"], 0.00075);
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
