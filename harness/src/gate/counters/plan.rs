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
const LEVER: u64 = 8;
/// What is planned may take so many times the time it was given: starting takes what it takes.
const OVERTIME: u32 = 6;

/// What is counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CountPlan {
    /// What is asked; one connection.
    pub workload: Workload,
    /// Requests of each life, in order: in turn few and many. The numbers of many differ, so that what
    /// happens only now and then does not fall on the same request each time.
    pub requests: Vec<u64>,
}

/// A life that told how fast a server is.
#[derive(Debug, Clone, PartialEq)]
pub struct Gauge {
    /// It, with few requests.
    pub life: Life,
    /// What a request took.
    pub request: Duration,
    /// What start and end took together.
    pub around: Duration,
    /// As [`super::By::tool`].
    pub tool: String,
}

impl CountPlan {
    /// As many requests as can be held in the time, by servers as fast as the slowest of these. Starting
    /// takes what it takes: where that leaves no time, fewest requests are planned.
    ///
    /// # Errors
    /// [`NoCounts::TooSlow`] if even fewest requests would take several times as long.
    pub fn fitting(
        workload: &Workload,
        gauges: &[&Gauge],
        time: Duration,
    ) -> Result<Self, NoCounts> {
        let slowest = |of: fn(&Gauge) -> Duration| gauges.iter().map(|gauge| of(gauge)).max();
        let request = slowest(|gauge| gauge.request).unwrap_or_default();
        let around = slowest(|gauge| gauge.around).unwrap_or_default();
        let few = gauges.iter().map(|gauge| gauge.life.requests).min();
        let few = few.unwrap_or(FEW);
        let before = around * 4 + request * (2 * few) as u32;
        let left = time.saturating_sub(before);
        let both = left.as_nanos() / request.as_nanos().max(1);
        let many = u64::try_from(both * 8 / 17).unwrap_or(MANY_MAX);
        let many = many.clamp(few * LEVER, MANY_MAX.max(few * LEVER));
        let plan = Self::of(workload, few, many);
        let all: u64 = plan.requests.iter().sum();
        let limit = time * OVERTIME;
        if around * 4 + request * all as u32 > limit {
            return Err(NoCounts::TooSlow {
                request,
                around,
                limit,
            });
        }
        Ok(plan)
    }

    /// Two lives with few and two with many requests, about so many of whole rounds of the turns.
    pub fn of(workload: &Workload, few: u64, many: u64) -> Self {
        let turns = workload.turns.len() as u64;
        let round = |requests: u64| requests.div_ceil(turns) * turns;
        let (few, more) = (round(few), round(many + many / 8));
        Self {
            workload: workload.clone(),
            requests: vec![few, round(many), few, more],
        }
    }

    /// The same for a tool that is slow and exact.
    pub fn for_allocations(&self) -> Self {
        let few = self.requests.first().copied().unwrap_or(FEW);
        let mut plan = Self::of(&self.workload, few, few * 4);
        plan.requests.remove(2);
        plan
    }
}

/// How many requests a gauge holds: fewest, and more in whole rounds of the turns if that was quick.
pub(super) fn gauge_requests(workload: &Workload) -> [u64; 2] {
    let turns = workload.turns.len() as u64;
    [FEW_LEAST, FEW].map(|requests| requests.div_ceil(turns) * turns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauge(request_us: u64, around_ms: u64, requests: u64) -> Gauge {
        Gauge {
            life: Life {
                requests,
                seconds: 1.0,
                totals: [0; 2],
            },
            request: Duration::from_micros(request_us),
            around: Duration::from_millis(around_ms),
            tool: String::new(),
        }
    }

    fn seconds(plan: &CountPlan, slowest: &Gauge) -> f64 {
        let all: u64 = plan.requests.iter().sum();
        slowest.around.as_secs_f64() * 4.0 + slowest.request.as_secs_f64() * all as f64
    }

    #[test]
    fn the_slower_server_decides_and_the_time_is_used() {
        let (fast, slow) = (gauge(200, 1_000, 256), gauge(700, 1_500, 256));
        let ten = Duration::from_secs(10);
        let plan = CountPlan::fitting(&Workload::default(), &[&fast, &slow], ten).unwrap();
        let taken = seconds(&plan, &slow);
        assert!((9.0..=10.0).contains(&taken), "{taken}");
        assert_eq!((plan.requests[0], plan.requests[2]), (256, 256));
        assert!(plan.requests[1] * 9 / 8 <= plan.requests[3]);
        let quick = CountPlan::fitting(&Workload::default(), &[&gauge(10, 100, 256)], ten);
        assert_eq!(quick.unwrap().requests[1], MANY_MAX);
    }

    #[test]
    fn where_starting_takes_all_the_time_fewest_are_held() {
        let slow = gauge(1_000, 4_000, 256);
        let ten = Duration::from_secs(10);
        let plan = CountPlan::fitting(&Workload::default(), &[&slow], ten).unwrap();
        assert_eq!(plan.requests[1], 256 * LEVER);
        let slower = gauge(100_000, 4_000, 32);
        let trouble = CountPlan::fitting(&Workload::default(), &[&slower], ten).unwrap_err();
        assert!(trouble.to_string().contains("100ms"), "{trouble}");
    }

    #[test]
    fn turns_are_said_in_whole_rounds() {
        let workload = Workload {
            turns: vec![0, 1, 2],
            ..Workload::default()
        };
        let plan = CountPlan::of(&workload, 100, 1_000);
        assert_eq!(plan.requests, [102, 1_002, 102, 1_125]);
        assert_eq!(plan.for_allocations().requests, [102, 408, 459]);
        assert_eq!(gauge_requests(&workload), [33, 258]);
    }
}
