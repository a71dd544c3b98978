//! Whether the figures of a load can be trusted, and why not. Pure.

use serde::Serialize;

use super::metrics::{Metrics, Step};
use super::run::Measurement;
use super::workload::{Pace, Workload};
use crate::stats::{median, rank_sum_p};

/// Ready but not running for more than this share of the period: the client was starved.
const STARVED_WALL: f64 = 0.05;
/// The same as a share of what it ran and waited, for loads that keep a core less busy.
const STARVED_OWN: f64 = 0.25;
/// Below this share of the period the second rule does not speak: a few long waits are no rule.
const STARVED_LEAST: f64 = 0.01;
/// A client that runs so much of the time is the limit itself, unless the server is one too.
const SATURATED: f64 = 0.97;
/// A server that keeps so much of its cores busy is the limit.
const SERVER_SATURATED: f64 = 0.85;
/// Replies over requests due, at least.
const ACHIEVED: f64 = 0.95;
/// Lateness of sends at the 99th percentile, at most, in microseconds.
const LAG_US: f64 = 1_000.0;
/// Stolen time, at most, in percent.
const STEAL_PERCENT: f64 = 5.0;
/// The rate of the first third of the period may differ from that of the last by this factor.
const DRIFT: f64 = 1.15;
/// And by chance alone with this probability.
const DRIFT_P: f64 = 0.01;

/// Whether the figures can be trusted.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Validity {
    /// They can.
    pub valid: bool,
    /// Why not: a stable word, a colon, a sentence.
    pub reasons: Vec<String>,
    /// What limits what the figures say, without making them wrong.
    pub notes: Vec<String>,
    /// How late requests were sent, where the delay is ours, in microseconds.
    pub send_lag_us: Lag,
    /// Open loop: replies in the measured period over requests due in it.
    pub achieved_ratio: Option<f64>,
    /// Connections that ended when nobody had planned it.
    pub connections_lost: u64,
    /// Connections that were never there.
    pub connections_missing: u64,
    /// Largest share of the period in which an engine thread ran.
    pub client_busy: f64,
    /// Largest share of it in which one was ready and did not run.
    pub client_starved: f64,
    /// Time stolen by a hypervisor, in percent.
    pub steal_percent: f64,
    /// Times that our control group was held back.
    pub throttled: u64,
    /// The first troubles, in words.
    pub troubles: Vec<String>,
}

/// How late requests were sent, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Lag {
    /// Half of them were at most so late.
    pub p50: f64,
    /// 99 % were.
    pub p99: f64,
    /// All were.
    pub max: f64,
}

impl Validity {
    /// Judges a load.
    pub fn judge(
        workload: &Workload,
        measured: &Measurement,
        metrics: &Metrics,
        steps: &[Step],
    ) -> Self {
        let tally = &measured.tally;
        let lag = |q| measured.lag.value_at_quantile(q) as f64 / 1e3;
        let most = |share: fn(&super::engine::Own) -> f64| {
            measured.own.iter().map(share).fold(0.0, f64::max)
        };
        let due = tally.due + tally.unsent;
        let mut validity = Self {
            send_lag_us: Lag {
                p50: lag(0.5),
                p99: lag(0.99),
                max: measured.lag.max() as f64 / 1e3,
            },
            achieved_ratio: (workload.is_open() && due > 0)
                .then(|| metrics.ops as f64 / due as f64),
            connections_lost: tally.lost,
            connections_missing: tally.missing,
            client_busy: most(super::engine::Own::busy_share),
            client_starved: most(super::engine::Own::starved_share),
            steal_percent: measured.machine.steal_percent(),
            throttled: measured.machine.throttled,
            troubles: tally.troubles.clone(),
            ..Self::default()
        };
        validity.of_the_server(measured, metrics);
        validity.of_the_pace(workload, measured, metrics);
        validity.of_the_machine(measured);
        if let Some(drift) = drift(workload, steps) {
            validity.reasons.push(drift);
        }
        validity.valid = validity.reasons.is_empty();
        validity
    }

    /// What the server did that a load must not meet.
    fn of_the_server(&mut self, measured: &Measurement, metrics: &Metrics) {
        let tally = &measured.tally;
        let first = self
            .troubles
            .first()
            .map_or(String::new(), |first| format!("; first: {first}"));
        let mut say = |count: u64, text: &str| {
            if count > 0 {
                self.reasons.push(format!("{text}{first}"));
            }
        };
        if let Some(end) = &measured.died {
            say(
                1,
                &format!(
                    "server-died: after {:.1} s of the measured period the server {end}",
                    measured.seconds
                ),
            );
        }
        say(
            tally.wrong,
            &format!(
                "wrong-replies: {} of {} replies were not what they had to be",
                tally.wrong, metrics.ops
            ),
        );
        say(
            tally.lost,
            &format!(
                "connections-lost: {} connections ended when nobody had planned it",
                tally.lost
            ),
        );
        say(
            tally.missing,
            &format!(
                "connections-missing: {} connections could not be had",
                tally.missing
            ),
        );
        if tally.missing == 0 {
            say(
                tally.connect_failures,
                &format!("connect-failed: {} connects failed", tally.connect_failures),
            );
        }
        if tally.lost == 0 && measured.died.is_none() && !measured.interrupted {
            say(
                metrics.unanswered,
                &format!(
                    "unanswered: {} requests never got a reply, or were never sent; they count as having waited at least until the end",
                    metrics.unanswered
                ),
            );
        }
        if metrics.ops == 0 {
            say(1, "no-replies: not one reply came in the measured period");
        }
    }

    /// Whether the load was what was asked for.
    fn of_the_pace(&mut self, workload: &Workload, measured: &Measurement, metrics: &Metrics) {
        if let (Some(ratio), Pace::Open { rate, rate_to, .. }) =
            (self.achieved_ratio, workload.pace)
            && ratio < ACHIEVED
        {
            self.reasons.push(format!(
                "rate-not-reached: {:.0} replies a second came, where {:.0} were due ({:.0} %)",
                metrics.ops_per_s,
                f64::midpoint(rate, rate_to),
                ratio * 100.0
            ));
        }
        if self.send_lag_us.p99 > LAG_US {
            self.reasons.push(format!(
                "send-lag: one request in a hundred left {:.1} ms late or more, and that was our doing",
                self.send_lag_us.p99 / 1e3
            ));
        }
        if self.client_busy < SATURATED {
            return;
        }
        let limit = measured.server.map(|server| {
            let cores = metrics.server_cores.unwrap_or(0.0);
            (
                cores,
                cores
                    >= SERVER_SATURATED
                        * server.threads.clamp(1, measured.server_cpus.max(1)) as f64,
            )
        });
        match limit {
            Some((_, true)) => {}
            Some((cores, false)) => self.notes.push(format!(
                "client-saturated: an engine thread was busy {:.0} % of the time while the server used {cores:.2} cores: the server may be able to do more than this",
                self.client_busy * 100.0
            )),
            None => self.notes.push(format!(
                "client-saturated: an engine thread was busy {:.0} % of the time, and the server's use of CPU cannot be seen (give --pid): it may be able to do more than this",
                self.client_busy * 100.0
            )),
        }
    }

    fn of_the_machine(&mut self, measured: &Measurement) {
        let starved = measured.own.iter().any(|own| {
            let (waited, ran) = (own.starved_share(), own.busy_share());
            let of_own = waited / (waited + ran).max(f64::MIN_POSITIVE);
            waited > STARVED_WALL || (waited > STARVED_LEAST && of_own > STARVED_OWN)
        });
        if starved {
            self.reasons.push(format!(
                "client-starved: an engine thread was ready to run for {:.1} % of the time and another had its core",
                self.client_starved * 100.0
            ));
        }
        if self.steal_percent > STEAL_PERCENT {
            self.reasons.push(format!(
                "steal: the hypervisor gave {:.1} % of the time to others",
                self.steal_percent
            ));
        }
        if self.throttled > 0 {
            self.reasons.push(format!(
                "throttled: the control group was held back {} times",
                self.throttled
            ));
        }
    }
}

/// A closed loop that gets faster or slower as it goes was not warm: its mean says nothing.
fn drift(workload: &Workload, steps: &[Step]) -> Option<String> {
    if workload.is_open() || workload.ramp_connections_from.is_some() || steps.len() < 12 {
        return None;
    }
    let third = steps.len() / 3;
    let rates = |part: &[Step]| -> Vec<f64> { part.iter().map(|step| step.ops_per_s).collect() };
    let (first, last) = (rates(&steps[..third]), rates(&steps[steps.len() - third..]));
    let (before, after) = (median(&first)?, median(&last)?);
    let factor = after / before.max(f64::MIN_POSITIVE);
    let drifts = !(1.0 / DRIFT..DRIFT).contains(&factor) && rank_sum_p(&first, &last) < DRIFT_P;
    drifts.then(|| {
        format!(
            "not-stationary: {before:.0} replies a second in the first third of the period, {after:.0} in the last: give a longer --warmup"
        )
    })
}
