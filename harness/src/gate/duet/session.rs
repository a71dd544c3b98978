//! One session: two fresh servers, a warm-up, blocks of exchanges, a ratio.

use std::fmt;
use std::time::Duration;

use super::turns::{Client, FailedExchange, Participant, PlantedWork, Turns};
use crate::gate::metric::Metric;
use crate::gate::plan::DuetPlan;
use crate::gate::servers::{exit_of, start, start_both};
use crate::gate::side::{Pair, Side};
use crate::load::engine::{EngineContext, Lockstep, RunState, now};
use crate::process::{Server, StartFailure, Vitals};
use crate::stats::hodges_lehmann;
use crate::subject::{Interrupt, Subject};

/// Approximate length of a block: short enough that a disturbance of the machine spoils few blocks, long enough
/// that the two clock readings do not matter.
const BLOCK: Duration = Duration::from_millis(20);
/// Minimum number of blocks per session, however slow the server is.
const BLOCKS_MIN: usize = 3;
/// Smallest difference of resident memory that counts, in bytes: of a small server it would be many percent.
const RSS_LEAST: f64 = 1024.0 * 1024.0;

/// Reads the CPU time that a side has used, given the processes of both sides.
#[derive(Clone, Copy, Debug)]
pub struct Meter(pub fn(&Pair<Vitals>, Side) -> Duration);

impl Meter {
    /// The kernel's clocks of the side's own processes.
    pub const OWN: Self = Self(|vitals, side| vitals[side].glance().cpu);
}

/// One session to run.
pub(super) struct DuetSession<'a> {
    pub subjects: Pair<&'a Subject>,
    pub started_first: Side,
    /// The side that is given extra work; then both sides are the base.
    pub planted: Option<Side>,
    pub plan: &'a DuetPlan,
    /// The core of both servers.
    pub cpu: Option<usize>,
    pub interrupt: &'a Interrupt,
    pub meter: Meter,
}

/// What was measured of one side in a session.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SideFigures {
    /// CPU time per counted exchange, in microseconds.
    pub cpu_us: f64,
    /// Median response time, in microseconds.
    pub p50_us: f64,
    /// Resident memory at the end without file-backed pages, in bytes: a larger program has more of those.
    pub rss_bytes: f64,
}

/// What a session measured.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionSample {
    /// The figures of both sides.
    pub sides: Pair<SideFigures>,
    /// ln(candidate / base) of CPU time per exchange: the centre of the blocks.
    pub cpu_log_ratio: f64,
    /// Counted exchanges of each side.
    pub exchanges: u64,
    /// A side whose processes changed during the session: the CPU time of those that came and went is not in the
    /// figures.
    pub unsteady: Option<Side>,
}

impl SessionSample {
    /// ln(candidate / base) of a metric that a duet measures; NaN for others.
    pub fn log_ratio(&self, metric: Metric) -> f64 {
        let Pair { base, candidate } = &self.sides;
        match metric {
            Metric::ServerCpu => self.cpu_log_ratio,
            Metric::ServerCpuAll => (candidate.cpu_us / base.cpu_us).ln(),
            Metric::P50 => (candidate.p50_us / base.p50_us).ln(),
            Metric::Rss if (candidate.rss_bytes - base.rss_bytes).abs() < RSS_LEAST => 0.0,
            Metric::Rss => (candidate.rss_bytes / base.rss_bytes).ln(),
            _ => f64::NAN,
        }
    }
}

/// Why a session gave no sample.
#[derive(Debug)]
pub struct SessionTrouble {
    /// The server at fault.
    pub side: Side,
    /// What it did.
    pub fault: SessionFault,
}

/// What a server did in a session that it must not.
#[derive(Debug)]
pub enum SessionFault {
    /// It did not start.
    Start(Box<StartFailure>),
    /// It exited.
    Died(String),
    /// An exchange failed.
    Exchange(String),
}

impl SessionFault {
    /// Whether it needs no second session to be believed: a server exited by itself.
    pub(super) fn is_fact(&self) -> bool {
        matches!(self, Self::Died(_))
    }
}

impl fmt::Display for SessionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(failure) => write!(f, "did not start: {failure}"),
            Self::Died(how) => write!(f, "died: {how}"),
            Self::Exchange(why) => write!(f, "did not hold its conversation: {why}"),
        }
    }
}

/// The running servers of a session.
struct SessionServers {
    sides: Pair<Server>,
    ballast: Option<Server>,
}

impl SessionServers {
    fn of(&self, participant: Participant) -> Option<&Server> {
        match participant {
            Participant::Side(side) => Some(&self.sides[side]),
            Participant::Ballast => self.ballast.as_ref(),
        }
    }
}

impl DuetSession<'_> {
    /// Starts both servers, lets them answer at the same time, and stops them.
    pub(super) fn run(
        &self,
        runtime: &tokio::runtime::Runtime,
    ) -> Result<SessionSample, SessionTrouble> {
        let servers = self.start(runtime)?;
        self.talk_to(&servers).map_err(|failed| {
            let server = servers.of(failed.participant);
            let exit = server.and_then(|server| exit_of(runtime, server));
            let fault = match exit {
                Some(exit) => SessionFault::Died(format!("{exit} ({})", failed.why)),
                None => SessionFault::Exchange(failed.why),
            };
            self.trouble(failed.participant, fault)
        })
    }

    fn talk_to(&self, servers: &SessionServers) -> Result<SessionSample, FailedExchange> {
        let run_states = Pair::of(|_| RunState::new(1));
        let contexts = Pair::of(|side| {
            self.context(
                Participant::Side(side),
                &servers.sides[side],
                &run_states[side],
            )
        });
        let sides = Pair::try_of(Side::Base, |side| {
            client(Participant::Side(side), &contexts[side])
        })?;
        let every = (1.0 / self.plan.planted).round().max(1.0) as usize;
        let ballast_state = RunState::new(1);
        let ballast_context = servers
            .ballast
            .as_ref()
            .map(|server| self.context(Participant::Ballast, server, &ballast_state));
        let planted = match self.planted.zip(ballast_context.as_ref()) {
            Some((side, context)) => Some(PlantedWork {
                side,
                every,
                ballast: client(Participant::Ballast, context)?,
            }),
            None => None,
        };
        self.measure(Turns::new(sides, planted), every, &servers.sides)
    }

    fn context<'s>(
        &'s self,
        participant: Participant,
        server: &Server,
        run_state: &'s RunState,
    ) -> EngineContext<'s> {
        let (subject, workload) = (self.subject(participant), &self.plan.workload);
        EngineContext::new(
            workload,
            &subject.talk,
            subject.values_of(server),
            server.endpoint(),
            run_state,
        )
    }

    fn start(&self, runtime: &tokio::runtime::Runtime) -> Result<SessionServers, SessionTrouble> {
        let cpus = self.cpu.map(|cpu| [cpu]);
        let cpus = cpus.as_ref().map(<[usize; 1]>::as_slice);
        let failed = |participant, failure| self.trouble(participant, SessionFault::Start(failure));
        let sides = start_both(runtime, self.subjects, self.started_first, cpus)
            .map_err(|(side, failure)| failed(Participant::Side(side), failure))?;
        let ballast = match self.planted {
            Some(_) => Some(
                start(runtime, self.subject(Participant::Ballast), cpus)
                    .map_err(|failure| failed(Participant::Ballast, Box::new(failure)))?,
            ),
            None => None,
        };
        Ok(SessionServers { sides, ballast })
    }

    /// The ballast is the base, and so are both sides of a session that has one.
    fn subject(&self, participant: Participant) -> &Subject {
        match participant {
            Participant::Side(side) => self.subjects[side],
            Participant::Ballast => self.subjects.base,
        }
    }

    fn trouble(&self, participant: Participant, fault: SessionFault) -> SessionTrouble {
        let side = match participant {
            Participant::Side(side) if self.planted.is_none() => side,
            _ => Side::Base,
        };
        SessionTrouble { side, fault }
    }

    fn measure(
        &self,
        mut turns: Turns<'_>,
        every: usize,
        servers: &Pair<Server>,
    ) -> Result<SessionSample, FailedExchange> {
        let in_block = self.warm_up(&mut turns, every)?;
        turns.forget_times();
        let pids = servers.as_ref().map(Server::pids);
        let vitals = pids.as_ref().map(|pids| Vitals::of(pids.iter().copied()));
        let read = || Pair::of(|side| (self.meter.0)(&vitals, side));
        let (begun, before) = (now(), read());
        let (mut last, mut blocks) = (before, Vec::new());
        while blocks.len() < BLOCKS_MIN || since(begun) < self.plan.measured {
            turns.take(in_block)?;
            let used = read();
            blocks.push(log_ratio(last, used));
            last = used;
            if self.interrupt.is_set() {
                break;
            }
        }
        let exchanges = blocks.len() * in_block;
        let figures = |side: Side| SideFigures {
            cpu_us: micros(last[side].saturating_sub(before[side])) / exchanges as f64,
            p50_us: turns
                .median_ns(side)
                .map_or(f64::NAN, |median| median / 1e3),
            rss_bytes: servers[side]
                .usage()
                .map_or(f64::NAN, |usage| usage.own_bytes as f64),
        };
        let is_unsteady = |side: &Side| servers[*side].pids() != pids[*side];
        Ok(SessionSample {
            sides: Pair::of(figures),
            cpu_log_ratio: hodges_lehmann(&blocks, 0.9).map_or(f64::NAN, |centre| centre.estimate),
            exchanges: exchanges as u64,
            unsteady: Side::BOTH.into_iter().find(is_unsteady),
        })
    }

    /// Takes the unmeasured turns and returns the number of turns per block: a multiple of `every`, so that each
    /// block contains its share of the planted work.
    fn warm_up(&self, turns: &mut Turns<'_>, every: usize) -> Result<usize, FailedExchange> {
        let (begun, mut taken) = (now(), 0);
        loop {
            turns.take(every)?;
            taken += every;
            let passed = since(begun);
            if passed >= self.plan.warmup {
                let in_block = taken as f64 * BLOCK.as_secs_f64() / passed.as_secs_f64();
                return Ok((in_block / every as f64).ceil().max(1.0) as usize * every);
            }
        }
    }
}

fn client<'a>(
    participant: Participant,
    context: &'a EngineContext<'a>,
) -> Result<Client<'a>, FailedExchange> {
    let lockstep = Lockstep::new(context).map_err(|error| FailedExchange {
        participant,
        why: error.to_string(),
    })?;
    Ok(Client::new(participant, lockstep))
}

/// ln(candidate / base) of the CPU time used between two readings.
fn log_ratio(from: Pair<Duration>, to: Pair<Duration>) -> f64 {
    let used = |side: Side| micros(to[side].saturating_sub(from[side]));
    (used(Side::Candidate) / used(Side::Base)).ln()
}

fn micros(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e3
}

fn since(moment: u64) -> Duration {
    Duration::from_nanos(now().saturating_sub(moment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_differs_from_a_mebibyte_on() {
        let ratio = |bytes: f64| {
            let side = |rss_bytes| SideFigures {
                rss_bytes,
                ..SideFigures::default()
            };
            SessionSample {
                sides: Pair {
                    base: side(2e6),
                    candidate: side(bytes),
                },
                cpu_log_ratio: 0.0,
                exchanges: 1,
                unsteady: None,
            }
            .log_ratio(Metric::Rss)
        };
        assert_eq!((ratio(2e6), ratio(3e6), ratio(1e6)), (0.0, 0.0, 0.0));
        assert!((ratio(4e6) - 2.0_f64.ln()).abs() < 1e-9);
    }
}
