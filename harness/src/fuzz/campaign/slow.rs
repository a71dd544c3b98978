//! Explains a campaign that ran too few cases to mean anything.

use std::time::Duration;

use crate::fuzz::FuzzResult;
use crate::fuzz::finding::TimeSpent;

/// Cases per second and server below which a campaign says little: the fastest bugs take some thousand cases.
const CASES_PER_S_MIN: f64 = 50.0;
/// Share of connections that the server leaves open at which that is the cause.
const LEFT_OPEN: f64 = 0.3;
/// Cases per start of the server below which its ends are the cause, not its starts.
const CASES_PER_START: f64 = 50.0;

/// What is known about the pace of a campaign besides its result.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// How long the server takes to start.
    pub(super) start: Duration,
    /// How long a plain exchange takes.
    pub(super) exchange: Duration,
    /// The share of connections that the server left open after the client's FIN.
    pub(super) left_open: f64,
    /// What came before the first case.
    pub(super) rehearsal: Duration,
}

/// Why there were few cases, and what would help. `None` if there were enough.
pub(super) fn explained(result: &FuzzResult, pace: &Pace) -> Option<String> {
    let time = result.time;
    let lanes = time.wall_s * result.jobs.max(1) as f64;
    let per_s = result.executions as f64 / lanes.max(1e-3);
    if result.executions > 0 && per_s >= CASES_PER_S_MIN {
        return None;
    }
    let (cause, help) = cause(result, pace);
    let rehearsal = pace.rehearsal.as_secs_f64();
    Some(format!(
        "{} cases in {:.1} s ({per_s:.1}/s on each server) say little: {cause}. What would help: {help} (time of all \
         servers: starting them {}, cases {}, looking at the server {}, settling findings {}; before the first case \
         {rehearsal:.1} s)",
        result.executions,
        time.wall_s,
        percent(time.starting_s, lanes),
        percent(time.cases_s, lanes),
        percent(time.looking_s, lanes),
        percent(time.settling_s, lanes),
    ))
}

fn percent(part: f64, whole: f64) -> String {
    format!("{:.0} %", part / whole.max(1e-3) * 100.0)
}

fn cause(result: &FuzzResult, pace: &Pace) -> (String, String) {
    let time = result.time;
    let TimeSpent {
        starting_s,
        cases_s,
        looking_s,
        settling_s,
        ..
    } = time;
    let before_s = pace.rehearsal.as_secs_f64() * result.jobs.max(1) as f64;
    let most = [starting_s, cases_s, looking_s, settling_s, before_s];
    let most = most.into_iter().fold(0.0, f64::max);
    let per_start = result.executions as f64 / result.restarts.max(1) as f64;
    let starts = format!("a start takes {}", shown(pace.start));
    let longer = "a longer --duration".to_owned();
    if most == before_s {
        let cause = format!("most of the time went by before the first case ({starts})");
        return (cause, longer);
    }
    if most == starting_s {
        return match per_start < CASES_PER_START && !result.findings.is_empty() {
            true => (
                format!(
                    "the server ended after {per_start:.0} cases, again and again, and {starts}"
                ),
                "to repair what was found first; a server that starts faster".to_owned(),
            ),
            false => (
                starts,
                "a configuration that starts faster; more servers at a time (--jobs)".to_owned(),
            ),
        };
    }
    if most == settling_s {
        let cause = "most of the time went into findings".to_owned();
        return (cause, format!("to repair what was found first; {longer}"));
    }
    let each = Duration::from_secs_f64(cases_s / result.executions.max(1) as f64);
    match (most == cases_s, pace.left_open > LEFT_OPEN) {
        (true, true) => (
            format!(
                "a case takes {}, since the server leaves {:.0} % of the connections open after the client's FIN and \
                 each of them is waited for",
                shown(each),
                pace.left_open * 100.0
            ),
            "a server that closes what its client has closed; a shorter idle time-out in its configuration; more \
             servers at a time (--jobs)"
                .to_owned(),
        ),
        (true, false) => (
            format!(
                "a case takes {} (a plain exchange takes {}): the replies are slow",
                shown(each),
                shown(pace.exchange)
            ),
            "a configuration without waits and slow storage; more servers at a time (--jobs)".to_owned(),
        ),
        (false, _) => (
            format!(
                "most of the time went into health checks and tests of hints (a plain exchange takes {})",
                shown(pace.exchange)
            ),
            longer,
        ),
    }
}

fn shown(time: Duration) -> String {
    match time.as_secs_f64() {
        long if long >= 1.0 => format!("{long:.1} s"),
        short => format!("{:.1} ms", short * 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(executions: u64, restarts: u64, time: TimeSpent) -> FuzzResult {
        FuzzResult {
            executions,
            restarts,
            time,
            jobs: 2,
            ..FuzzResult::default()
        }
    }

    #[test]
    fn the_largest_part_is_the_cause() {
        let time = TimeSpent {
            wall_s: 10.0,
            starting_s: 15.0,
            cases_s: 3.0,
            looking_s: 1.0,
            settling_s: 0.0,
        };
        let pace = Pace {
            start: Duration::from_millis(1500),
            exchange: Duration::from_millis(2),
            left_open: 0.9,
            rehearsal: Duration::from_secs(2),
        };
        let told = explained(&result(80, 10, time), &pace).unwrap();
        assert!(told.contains("a start takes 1.5 s"), "{told}");
        assert!(told.contains("4.0/s") && told.contains("75 %"), "{told}");
        let slow = TimeSpent {
            starting_s: 1.0,
            cases_s: 17.0,
            ..time
        };
        let told = explained(&result(80, 10, slow), &pace).unwrap();
        assert!(told.contains("after the client's FIN"), "{told}");
        let quick = Pace {
            left_open: 0.0,
            ..pace
        };
        let told = explained(&result(80, 10, slow), &quick).unwrap();
        assert!(told.contains("replies are slow"), "{told}");
        assert_eq!(explained(&result(8000, 10, slow), &quick), None);
    }
}
