//! The duet: base and candidate at the same time, one connection each, in many short sessions.
//!
//! Both servers share one core and both clients another, so that whatever the machine does to one it does to
//! the other. What is compared is a ratio within a session; only such ratios are compared between sessions.

mod session;
mod turns;

use std::time::Duration;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng as _;
use serde::Serialize;

use self::session::Session;
pub use self::session::{Figures, Meter, Sample, Trouble, What};
use super::metric::Metric;
use crate::event::{Event, Sink};
use crate::load::{Workload, cores, settle};
use crate::stats::shuffle;
use crate::subject::{Interrupt, Subject, runtime};

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DuetPlan {
    /// Sessions of base and candidate.
    pub real: usize,
    /// Sessions of base and base, one of them given a little more to do.
    pub control: usize,
    /// Sessions that decide about a suspect.
    pub fresh: usize,
    /// How much more the one side of a control session is given to do, as a share: the budget of
    /// [`Metric::ServerCpu`].
    pub planted: f64,
    /// Exchanges that are not measured, at the begin of each session.
    #[serde(rename = "warmup_s", serialize_with = "crate::data::seconds::seconds")]
    pub warmup: Duration,
    /// The measured part of each session.
    #[serde(
        rename = "measured_s",
        serialize_with = "crate::data::seconds::seconds"
    )]
    pub measured: Duration,
    /// A whole session, start and end of both servers included, as far as is known beforehand.
    #[serde(rename = "session_s", serialize_with = "crate::data::seconds::seconds")]
    pub session: Duration,
    /// What each connection says. It is one connection in lockstep whatever stands there.
    #[serde(skip)]
    pub workload: Workload,
}

/// Base and candidate, and how they are compared.
pub struct Duet<'a> {
    /// The server as it was.
    pub base: &'a Subject,
    /// The server as it is to be.
    pub candidate: &'a Subject,
    /// What is to be done.
    pub plan: &'a DuetPlan,
    /// The seed of the order of sessions.
    pub seed: u64,
    /// Ends it early; what was measured is kept.
    pub interrupt: &'a Interrupt,
    /// Live progress.
    pub sink: Sink<'a>,
    /// Sessions in all, for live progress.
    pub all: usize,
    /// How CPU time is read.
    meter: Meter,
}

/// What sessions came to.
#[derive(Debug, Default)]
pub struct Sessions {
    /// Base and candidate.
    pub real: Vec<Sample>,
    /// ln(side that was given more / other side) of CPU time per operation.
    pub control: Vec<f64>,
    /// Sessions that came to nothing and were held again.
    pub repeated: Vec<Trouble>,
    /// What ended it: it happened twice, or is a fact.
    pub broken: Option<Trouble>,
    /// The core of both servers and the core of the clients; `None` if there is only one core.
    pub cores: Option<(usize, usize)>,
}

/// Sessions that are held again, at most.
const REPEATED_MAX: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Real,
    Control,
}

/// However late it is, a session measures at least so long.
pub(super) const MEASURED_MIN: Duration = Duration::from_millis(60);

impl DuetPlan {
    /// The same with sessions so short that so many of them fit in the time that is left; never longer ones.
    #[must_use]
    pub fn within(&self, left: Duration, sessions: usize) -> Self {
        let each = left / u32::try_from(sessions.max(1)).unwrap_or(u32::MAX);
        let late = self.session.saturating_sub(each);
        Self {
            measured: self.measured.saturating_sub(late).max(MEASURED_MIN),
            session: self.session.saturating_sub(late),
            ..self.clone()
        }
    }
}

impl<'a> Duet<'a> {
    /// A duet whose meter is the kernel's.
    pub fn new(
        base: &'a Subject,
        candidate: &'a Subject,
        plan: &'a DuetPlan,
        interrupt: &'a Interrupt,
        sink: Sink<'a>,
    ) -> Self {
        Self {
            base,
            candidate,
            plan,
            seed: base.seed,
            interrupt,
            sink,
            all: plan.real + plan.control + plan.fresh,
            meter: Meter::OWN,
        }
    }

    /// With another meter, to see that a wrong one is found out.
    #[must_use]
    pub fn with_meter(self, meter: Meter) -> Self {
        Self { meter, ..self }
    }

    /// The sessions of the first stage and of the control, in random order.
    pub fn first(&self) -> Sessions {
        let mut order = vec![Kind::Real; self.plan.real];
        order.resize(self.plan.real + self.plan.control, Kind::Control);
        shuffle(
            &mut order,
            &mut Xoshiro256PlusPlus::seed_from_u64(self.seed),
        );
        self.hold(&order, 0)
    }

    /// Sessions that decide about a suspect.
    pub fn fresh(&self) -> Sessions {
        let done = self.plan.real + self.plan.control;
        self.hold(&vec![Kind::Real; self.plan.fresh], done)
    }

    /// On a thread of its own, which is pinned to the clients' core.
    fn hold(&self, order: &[Kind], done: usize) -> Sessions {
        let cores = cores(1).and_then(|(ours, servers)| Some((*servers.last()?, ours[0])));
        let held = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                settle(cores.map(|(_, ours)| ours));
                self.hold_here(order, done, cores.map(|(server, _)| server))
            });
            thread.join()
        });
        match held {
            Ok(sessions) => Sessions { cores, ..sessions },
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    fn hold_here(&self, order: &[Kind], done: usize, cpu: Option<usize>) -> Sessions {
        let runtime = runtime();
        let mut sessions = Sessions::default();
        let mut counts = [0; 2];
        for (place, kind) in order.iter().enumerate() {
            let number = &mut counts[usize::from(*kind == Kind::Control)];
            let session = self.session(*kind, *number, cpu);
            *number += 1;
            loop {
                if self.interrupt.is_set() {
                    return sessions;
                }
                (self.sink)(Event::Step {
                    done: done + place,
                    all: self.all,
                    what: format!("session {}", done + place + 1),
                });
                match session.hold(&runtime) {
                    Ok(sample) => break sessions.keep(&session, sample),
                    Err(_) if self.interrupt.is_set() => return sessions,
                    Err(trouble)
                        if trouble.what.is_fact() || sessions.repeated.len() == REPEATED_MAX =>
                    {
                        sessions.broken = Some(trouble);
                        return sessions;
                    }
                    Err(trouble) => sessions.repeated.push(trouble),
                }
            }
        }
        sessions
    }

    /// The sides take turns in who is started first, and in who is given more.
    fn session(&self, kind: Kind, number: usize, cpu: Option<usize>) -> Session<'_> {
        let swapped = number % 2 == 1;
        let (sides, planted) = match kind {
            Kind::Real => ([self.base, self.candidate], None),
            Kind::Control => ([self.base, self.base], Some(usize::from(swapped))),
        };
        Session {
            sides,
            // In a control session, started first and given more are balanced against each other.
            started_first: usize::from(match kind {
                Kind::Real => swapped,
                Kind::Control => number % 4 >= 2,
            }),
            planted,
            plan: self.plan,
            cpu,
            interrupt: self.interrupt,
            meter: self.meter,
        }
    }
}

impl Sessions {
    fn keep(&mut self, session: &Session<'_>, sample: Sample) {
        match session.planted {
            None => self.real.push(sample),
            Some(0) => self.control.push(-sample.log_ratio(Metric::ServerCpu)),
            Some(_) => self.control.push(sample.log_ratio(Metric::ServerCpu)),
        }
    }

    /// The log ratios of a metric, candidate over base, one for each session.
    pub fn log_ratios(&self, metric: Metric) -> Vec<f64> {
        let sessions = self.real.iter();
        sessions.map(|sample| sample.log_ratio(metric)).collect()
    }
}
