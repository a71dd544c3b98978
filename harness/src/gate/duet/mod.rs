//! The duet: base and candidate at the same time, one connection each, in many short sessions.
//!
//! Both servers share one core and both clients another, so that a disturbance of the machine hits both servers
//! alike. What is compared is a ratio within a session; only such ratios are compared between sessions.

mod session;
mod turns;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng as _;

use self::session::DuetSession;
pub use self::session::{Meter, SessionFault, SessionSample, SessionTrouble, SideFigures};
use super::metric::Metric;
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
}

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
        }
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
            loop {
                if self.interrupt.is_set() {
                    return samples;
                }
                (self.sink)(Event::Step {
                    done: done + place,
                    all: self.plan.sessions(),
                    what: format!("session {}", done + place + 1),
                });
                match session.run(&runtime) {
                    Ok(sample) => break samples.keep(&session, sample),
                    Err(_) if self.interrupt.is_set() => return samples,
                    Err(trouble)
                        if trouble.fault.is_fact() || samples.repeated.len() == REPEATED_MAX =>
                    {
                        samples.broken = Some(trouble);
                        return samples;
                    }
                    Err(trouble) => samples.repeated.push(trouble),
                }
            }
        }
        samples
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
    fn keep(&mut self, session: &DuetSession<'_>, sample: SessionSample) {
        match session.planted {
            None => self.real.push(sample),
            Some(Side::Base) => self.control.push(-sample.log_ratio(Metric::ServerCpu)),
            Some(Side::Candidate) => self.control.push(sample.log_ratio(Metric::ServerCpu)),
        }
    }

    /// The log ratios of a metric, candidate over base, one for each session.
    pub(super) fn log_ratios(&self, metric: Metric) -> Vec<f64> {
        let sessions = self.real.iter();
        sessions.map(|sample| sample.log_ratio(metric)).collect()
    }
}
