//! The duet: base and candidate at the same time, one connection each, in many short sessions.
//!
//! Both servers share one core and both clients another, so that a disturbance of the machine hits both servers
//! alike. What is compared is a ratio within a session; only such ratios are compared between sessions.

mod rest;
mod session;
mod turns;

use std::time::Duration;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::session::DuetSession;
pub use self::session::{Meter, SessionFault, SessionSample, SessionTrouble};
use super::metric::Metric;
pub use super::metric::SideFigures;
use super::plan::DuetPlan;
use super::side::{Pair, Side};
use crate::event::{Event, Sink};
use crate::load::{cores, settle};
use crate::stats::shuffle;
use crate::subject::{Interrupt, Subject, runtime};

/// Maximum number of sessions that are repeated because they gave no sample.
const REPEATED_MAX: usize = 3;

/// Base and candidate, and how they are compared.
pub struct Duet<'a> {
    subjects: Pair<&'a Subject>,
    plan: &'a DuetPlan,
    /// The seed of the order of sessions.
    seed: u64,
    /// Ends the duet early; what was measured is kept.
    interrupt: &'a Interrupt,
    sink: Sink<'a>,
    meter: Meter,
    /// Whether what was measured so far decides, so that no further session is needed.
    is_clear: &'a (dyn Fn(&DuetSamples) -> bool + Sync),
}

/// What the sessions measured.
#[derive(Debug, Default)]
pub struct DuetSamples {
    /// Samples of base and candidate.
    pub real: Vec<SessionSample>,
    /// ln(side with extra work / other side) of CPU time per operation, one for each control session.
    pub control: Vec<f64>,
    /// Sessions that gave no sample and were repeated.
    pub repeated: Vec<SessionTrouble>,
    /// What ended the duet: a fault that came up again, or one that needs no repetition.
    pub broken: Option<SessionTrouble>,
    /// The core of both servers and the core of the clients; `None` if there is only one core.
    pub cores: Option<(usize, usize)>,
    /// Why there are no more sessions.
    pub ended: DuetEnd,
}

/// Why a duet ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DuetEnd {
    /// All sessions ran, or the user or a broken server ended it.
    #[default]
    Planned,
    /// A change was so many times its budget that the rest was not needed.
    Clear,
    /// Its time was over.
    OutOfTime,
}

/// Number of attempts at a session, one after the other, that a server has to spoil until it counts as broken when
/// the time is over.
const SPOILED_IN_A_ROW: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SessionKind {
    Real,
    Control,
}

impl<'a> Duet<'a> {
    /// A duet that reads CPU time from the kernel.
    pub fn new(
        subjects: Pair<&'a Subject>,
        plan: &'a DuetPlan,
        interrupt: &'a Interrupt,
        sink: Sink<'a>,
    ) -> Self {
        Self {
            subjects,
            plan,
            seed: subjects.base.seed,
            interrupt,
            sink,
            meter: Meter::OWN,
            is_clear: &|_| false,
        }
    }

    /// The duet, whose first stage ends as soon as this is true of its samples.
    #[must_use]
    pub(super) fn until(self, is_clear: &'a (dyn Fn(&DuetSamples) -> bool + Sync)) -> Self {
        Self { is_clear, ..self }
    }

    /// The duet with another meter, to show that the control detects a wrong one.
    #[must_use]
    pub fn with_meter(self, meter: Meter) -> Self {
        Self { meter, ..self }
    }

    /// Runs the sessions of the first stage and of the control, in random order.
    pub fn first(&self) -> DuetSamples {
        let mut order = vec![SessionKind::Real; self.plan.real];
        order.resize(self.plan.real + self.plan.control, SessionKind::Control);
        shuffle(
            &mut order,
            &mut Xoshiro256PlusPlus::seed_from_u64(self.seed),
        );
        self.run(&order, 0)
    }

    /// Runs the sessions that decide about a suspect metric.
    pub(super) fn fresh(&self) -> DuetSamples {
        let done = self.plan.real + self.plan.control;
        self.run(&vec![SessionKind::Real; self.plan.fresh], done)
    }

    /// Runs sessions on a thread that is pinned to the clients' core.
    fn run(&self, order: &[SessionKind], done: usize) -> DuetSamples {
        let cores = cores(1).and_then(|(ours, servers)| Some((*servers.last()?, ours[0])));
        let samples = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                settle(cores.map(|(_, ours)| ours));
                self.run_here(order, done, cores.map(|(server, _)| server))
            });
            thread.join()
        });
        match samples {
            Ok(samples) => DuetSamples { cores, ..samples },
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    fn run_here(&self, order: &[SessionKind], done: usize, cpu: Option<usize>) -> DuetSamples {
        let runtime = runtime();
        let mut samples = DuetSamples::default();
        let (mut real, mut control) = (0, 0);
        for (place, kind) in order.iter().enumerate() {
            let number = match kind {
                SessionKind::Real => &mut real,
                SessionKind::Control => &mut control,
            };
            let session = self.session(*kind, *number, cpu);
            *number += 1;
            (self.sink)(Event::Step {
                done: done + place,
                all: self.plan.sessions(),
                what: format!("session {}", done + place + 1),
            });
            if !self.is_sampled(&session, &runtime, &mut samples) {
                break;
            }
            if (self.is_clear)(&samples) {
                samples.ended = DuetEnd::Clear;
                break;
            }
        }
        samples
    }

    /// Runs a session until it gives a sample. False if the duet is over.
    fn is_sampled(
        &self,
        session: &DuetSession<'_>,
        runtime: &tokio::runtime::Runtime,
        samples: &mut DuetSamples,
    ) -> bool {
        let before = samples.repeated.len();
        loop {
            if self.interrupt.is_set() {
                self.end(samples, before);
                return false;
            }
            match session.run(runtime) {
                Ok(Some(sample)) => {
                    samples.keep(self.plan, session, sample);
                    return true;
                }
                // What a server did when it was being stopped says nothing about it.
                Ok(None) | Err(_) if self.interrupt.is_set() => {}
                Ok(None) => return true,
                Err(trouble)
                    if trouble.fault.is_fact() || samples.repeated.len() == REPEATED_MAX =>
                {
                    samples.broken = Some(trouble);
                    return false;
                }
                Err(trouble) => samples.repeated.push(trouble),
            }
        }
    }

    /// Notes that the time is over. A server that spoiled every attempt since `before` is broken.
    fn end(&self, samples: &mut DuetSamples, before: usize) {
        if self.interrupt.left() != Some(Duration::ZERO) {
            return;
        }
        samples.ended = DuetEnd::OutOfTime;
        let attempts = &samples.repeated[before..];
        let side = attempts.first().map(|trouble| trouble.side);
        let is_one = attempts.iter().all(|trouble| Some(trouble.side) == side);
        if attempts.len() >= SPOILED_IN_A_ROW && is_one {
            samples.broken = samples.repeated.pop();
        }
    }

    /// Sides alternate in which is started first, and in which is given extra work. In control sessions the two
    /// are balanced against each other.
    fn session(&self, kind: SessionKind, number: usize, cpu: Option<usize>) -> DuetSession<'_> {
        let (subjects, planted, started_first) = match kind {
            SessionKind::Real => (self.subjects, None, Side::alternating(number)),
            SessionKind::Control => (
                Pair::both(self.subjects.base),
                Some(Side::alternating(number)),
                Side::alternating(number / 2),
            ),
        };
        DuetSession {
            subjects,
            started_first,
            planted,
            plan: self.plan,
            cpu,
            interrupt: self.interrupt,
            meter: self.meter,
        }
    }
}

impl DuetSamples {
    fn keep(&mut self, plan: &DuetPlan, session: &DuetSession<'_>, sample: SessionSample) {
        let ratio = sample.log_ratio(Metric::ServerCpu);
        let extra = match session.planted {
            None => return self.real.push(sample),
            Some(Side::Base) => -ratio,
            Some(Side::Candidate) => ratio,
        };
        let factor = plan.planted / sample.planted_share;
        self.control.push(as_planned(extra, factor));
    }

    /// Whether the processes of both servers stayed the same during all sessions.
    pub(super) fn is_steady(&self) -> bool {
        self.real.iter().all(|sample| sample.unsteady.is_none())
    }

    /// The log ratios of a metric, candidate over base, one for each session.
    pub(super) fn log_ratios(&self, metric: Metric) -> Vec<f64> {
        let sessions = self.real.iter();
        sessions.map(|sample| sample.log_ratio(metric)).collect()
    }
}

/// The log ratio of a control session with `factor` times as much extra work: more than usual is planted in a slow
/// server.
fn as_planned(log_ratio: f64, factor: f64) -> f64 {
    (log_ratio.exp_m1() * factor).ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_planted_in_a_slow_server_is_scaled_to_the_usual_share() {
        // One extra exchange after 10 instead of 50.
        let scaled = as_planned(f64::ln(1.1), 0.02 / 0.1);
        assert!((scaled - f64::ln(1.02)).abs() < 1e-12);
        assert!((as_planned(0.017, 1.0) - 0.017).abs() < 1e-12);
        assert!(as_planned(f64::NAN, 0.2).is_nan());
    }
}
