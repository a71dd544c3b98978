//! What a load has measured.

use std::fmt;
use std::time::Duration;

use super::Prove;
use super::apart::alone;
use super::error::{ProveError, Result};
use crate::load::{
    Fault, Latency, Load, LoadResult, Metrics, Reason, Workload, server_cores, summarize,
};
use crate::process::StartOptions;
use crate::subject::{Interrupt, rehearse, start};

/// Maximum loads that are put on a fresh server each, until one is not disturbed by the machine.
const ATTEMPTS_MAX: usize = 3;

/// A load that was run, or why it could not be.
#[must_use = "the figures are in it: call assert()"]
pub struct Loaded {
    result: Result<LoadResult>,
    seed: u64,
}

/// The figures of a load. Times are response times: from the moment at which a request was due to the last byte of its reply.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Figures {
    /// The median.
    pub p50: Duration,
    /// The 90th percentile.
    pub p90: Duration,
    /// The 99th percentile.
    pub p99: Duration,
    /// The 99.9th percentile. It says little if fewer than some thousand requests were made.
    pub p999: Duration,
    /// The longest.
    pub max: Duration,
    /// Replies in the measured period.
    pub replies: u64,
    /// Replies per second.
    pub replies_per_second: f64,
    /// Requests that got no reply.
    pub unanswered: u64,
    /// Replies that were not as expected.
    pub wrong_replies: u64,
    /// CPU time of the server per request; `None` for a server that was running already.
    pub server_cpu: Option<Duration>,
    /// The most memory that the server had, in bytes; `None` for a server that was running already.
    pub server_rss: Option<u64>,
}

impl Loaded {
    pub(super) fn run(prove: &Prove, workload: Workload) -> Self {
        let workload = Workload {
            seed: prove.seed,
            ..workload
        };
        let attempt = || {
            for _ in 1..ATTEMPTS_MAX {
                let result = loaded(prove, &workload);
                if !matches!(&result, Ok(result) if may_be_valid(result)) {
                    return result;
                }
            }
            loaded(prove, &workload)
        };
        let result = alone(attempt);
        Self {
            result,
            seed: prove.seed,
        }
    }

    /// Panics unless the figures can be trusted and `holds` is true for them. A test that shall pass on a machine that is too
    /// busy to measure looks at [`Loaded::figures`].
    ///
    /// # Panics
    /// The load could not be run; the figures cannot be trusted, which the message explains; or `holds` is false.
    #[track_caller]
    pub fn assert(&self, holds: impl FnOnce(&Figures) -> bool) {
        let figures = match self.figures() {
            Ok(figures) => figures,
            Err(error) => panic!("{error}"),
        };
        assert!(
            holds(&figures),
            "the figures are not as asserted: {figures}\n(seed {})",
            self.seed
        );
    }

    /// The figures.
    ///
    /// # Errors
    /// The load could not be run, or its figures cannot be trusted: [`ProveError::Server`] if that is due to the server, which
    /// lost connections or sent wrong replies, and [`ProveError::Machine`] if the machine was too busy in three attempts.
    pub fn figures(&self) -> Result<Figures> {
        let result = self.result.as_ref().map_err(Clone::clone)?;
        let validity = &result.validity;
        if validity.valid {
            return Ok(Figures::of(&result.metrics));
        }
        let reasons = validity.reasons.iter().map(|reason| reason.to_string());
        let reasons: Vec<String> = reasons.chain(validity.troubles.clone()).collect();
        let text = format!(
            "the figures of this load cannot be trusted: {}",
            reasons.join("; ")
        );
        let faults = validity.reasons.iter().map(Reason::fault);
        let faults: Vec<Fault> = faults.collect();
        Err(match faults {
            faults if faults.contains(&Fault::Server) => ProveError::Server(text),
            faults if faults == [Fault::Load] => ProveError::Description(text),
            _ => ProveError::Machine(format!(
                "{text}\nnext: run this test alone, or look at figures() and judge nothing on a busy machine"
            )),
        })
    }
}

impl Figures {
    fn of(metrics: &Metrics) -> Self {
        let time = |us: f64| Duration::from_secs_f64(us.max(0.0) / 1e6);
        let Latency {
            p50,
            p90,
            p99,
            p999,
            max,
            ..
        } = metrics.response_us;
        Self {
            p50: time(p50),
            p90: time(p90),
            p99: time(p99),
            p999: time(p999),
            max: time(max),
            replies: metrics.ops,
            replies_per_second: metrics.ops_per_s,
            unanswered: metrics.unanswered,
            wrong_replies: metrics.wrong_replies,
            server_cpu: metrics.server_cpu_us_per_op.map(time),
            server_rss: metrics.server_rss_peak_bytes,
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "p50 {:.1?}, p90 {:.1?}, p99 {:.1?}, p99.9 {:.1?}, maximum {:.1?}; {:.0} replies per second",
            self.p50, self.p90, self.p99, self.p999, self.max, self.replies_per_second
        )?;
        if self.unanswered + self.wrong_replies > 0 {
            write!(
                f,
                "; {} without a reply, {} wrong",
                self.unanswered, self.wrong_replies
            )?;
        }
        Ok(())
    }
}

/// Whether it was disturbed, and another load may not be.
fn may_be_valid(result: &LoadResult) -> bool {
    let reasons = &result.validity.reasons;
    !reasons.is_empty() && reasons.iter().all(Reason::may_pass)
}

fn loaded(prove: &Prove, workload: &Workload) -> Result<LoadResult> {
    let subject = prove.prepared()?.subject;
    let interrupt = Interrupt::default();
    let of_server = |error: &dyn fmt::Display| ProveError::Server(error.to_string());
    if let Some(turn) = workload
        .turns
        .iter()
        .find(|turn| **turn >= subject.talk.turns.len())
    {
        return Err(ProveError::Description(format!(
            "the workload sends turn {turn}: the talk `{}` has turns 0 to {}",
            subject.talk.name,
            subject.talk.turns.len() - 1
        )));
    }
    rehearse(&subject, &interrupt).map_err(|error| of_server(&error))?;
    let options = StartOptions {
        cpus: server_cores(workload),
        ..StartOptions::default()
    };
    let server = start(&subject, options).map_err(|failure| of_server(&failure))?;
    let measured = Load {
        workload,
        talk: &subject.talk,
        values: subject.values_of(&server),
        server: &server,
        interrupt: &interrupt,
        begin: None,
        sink: &|_| {},
    }
    .run()
    .map_err(|error| ProveError::Description(error.to_string()))?;
    Ok(summarize(workload, &measured))
}
