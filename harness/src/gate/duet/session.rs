//! One session: two fresh servers, a warm-up, blocks of exchanges, a ratio.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rest::at_rest;
use super::turns::{Client, FailedExchange, Participant, PlantedWork, Turns};
use crate::data::exact;
use crate::gate::metric::{Metric, SideFigures};
use crate::gate::plan::DuetPlan;
use crate::gate::servers::{exit_of, start_both};
use crate::gate::side::{Pair, Side};
use crate::load::engine::{EngineContext, Lockstep, RunState, now};
use crate::load::visit::start;
use crate::process::{Server, StartFailure, Usage, Vitals};
use crate::stats::hodges_lehmann;
use crate::subject::{Interrupt, Subject};

/// Approximate length of a block: short enough that a disturbance of the machine spoils few blocks, long enough
/// that the two clock readings do not matter.
const BLOCK: Duration = Duration::from_millis(20);
/// Minimum number of blocks per session, however slow the server is.
const BLOCKS_MIN: usize = 3;

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

/// What a session measured.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct SessionSample {
    /// The figures of both sides.
    pub sides: Pair<SideFigures>,
    /// ln(candidate / base) of CPU time per exchange: the centre of the blocks.
    #[serde(with = "exact")]
    #[schemars(with = "exact::Written")]
    pub cpu_log_ratio: f64,
    /// The extra work of one side in a control session, as a share of its counted exchanges.
    pub planted_share: f64,
    /// Counted exchanges of each side.
    pub exchanges: u64,
    /// A side whose processes changed during the session: the CPU time of those that came and went is not in the
    /// figures.
    pub unsteady: Option<Side>,
}

impl SessionSample {
    /// ln(candidate / base) of a metric that a duet measures; NaN for others.
    pub fn log_ratio(&self, metric: Metric) -> f64 {
        match metric {
            Metric::ServerCpu => self.cpu_log_ratio,
            _ => metric.log_ratio(&self.sides.base, &self.sides.candidate),
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

/// What the counted exchanges took.
struct Counted {
    exchanges: f64,
    cpu: Pair<Duration>,
    bytes: Pair<u64>,
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
    /// Starts both servers, lets them answer at the same time, and stops them. `None` if the time of the duet ended
    /// before anything was measured.
    pub(super) fn run(
        &self,
        runtime: &tokio::runtime::Runtime,
    ) -> Result<Option<SessionSample>, SessionTrouble> {
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

    fn talk_to(&self, servers: &SessionServers) -> Result<Option<SessionSample>, FailedExchange> {
        let run_states = Pair::of(|_| RunState::new(1));
        let contexts = Pair::of(|side| {
            self.context(
                Participant::Side(side),
                &servers.sides[side],
                &run_states[side],
            )
        });
        let until = self.until();
        let client = |participant, context| client(participant, context, self.plan.patience, until);
        let sides = Pair::try_of(Side::Base, |side| {
            client(Participant::Side(side), &contexts[side])
        })?;
        let ballast_state = RunState::new(1);
        let ballast_context = servers
            .ballast
            .as_ref()
            .map(|server| self.context(Participant::Ballast, server, &ballast_state));
        let planted = match self.planted.zip(ballast_context.as_ref()) {
            Some((side, context)) => Some(PlantedWork {
                side,
                every: self.usual_every(),
                ballast: client(Participant::Ballast, context)?,
            }),
            None => None,
        };
        self.measure(Turns::new(sides, planted), &servers.sides)
    }

    /// When the duet is over, in nanoseconds of the monotonic clock.
    fn until(&self) -> u64 {
        let left = self.interrupt.left();
        left.map_or(u64::MAX, |left| now() + left.as_nanos() as u64)
    }

    /// One extra exchange after this many turns is the planted share.
    fn usual_every(&self) -> usize {
        (1.0 / self.plan.planted).round().max(1.0) as usize
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
        let left = self.interrupt.left();
        let sides = start_both(runtime, self.subjects, self.started_first, cpus, left)
            .map_err(|(side, failure)| failed(Participant::Side(side), failure))?;
        let ballast = match self.planted {
            Some(_) => Some(
                start(runtime, self.subject(Participant::Ballast), cpus, left)
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

    /// However slow the candidate is, a session ends in time: after its usual length it takes no further turn, once it
    /// has begun one block. A control session completes that, so that it contains the planted work.
    fn measure(
        &self,
        mut turns: Turns<'_>,
        servers: &Pair<Server>,
    ) -> Result<Option<SessionSample>, FailedExchange> {
        let over = now() + self.plan.session.as_nanos() as u64;
        let turn = self.warm_up(&mut turns)?;
        turns.forget_times();
        let every = self.every(turn);
        turns.plant_every(every);
        let in_block = turns_in(BLOCK, turn).div_ceil(every) * every;
        let until = match self.planted {
            Some(_) => self.until(),
            None => self.until().min(over),
        };
        let pids = servers.as_ref().map(Server::pids);
        let vitals = pids.as_ref().map(|pids| Vitals::of(pids.iter().copied()));
        let read = || Pair::of(|side| (self.meter.0)(&vitals, side));
        let (begun, before) = (now(), read());
        let (mut last, mut blocks, mut exchanges) = (before, Vec::new(), 0);
        let bytes_before = turns.bytes();
        let mut bytes = bytes_before;
        let mut block_from = before;
        loop {
            // The first turn is always taken: the warm-up of a slow server takes a whole session.
            let taken = turns.take(1, u64::MAX)? + turns.take(in_block - 1, until)?;
            let used = read();
            let is_first = exchanges == 0 && self.planted.is_none();
            if taken < in_block && !is_first {
                break;
            }
            (last, exchanges, bytes) = (used, exchanges + taken, turns.bytes());
            // A block of few turns in which a side seems to use no CPU time is part of the next one.
            let ratio = log_ratio(block_from, last);
            if ratio.is_finite() {
                blocks.push(ratio);
                block_from = last;
            }
            let enough = blocks.len() >= BLOCKS_MIN && since(begun) >= self.plan.measured;
            if enough || now() >= over || self.interrupt.is_set() {
                break;
            }
        }
        if exchanges == 0 {
            return Ok(None);
        }
        if blocks.is_empty() {
            blocks.push(log_ratio(before, last));
        }
        let is_unsteady = |side: &Side| servers[*side].pids() != pids[*side];
        let unsteady = Side::BOTH.into_iter().find(is_unsteady);
        let counted = Counted {
            exchanges: exchanges as f64,
            cpu: Pair::of(|side| last[side].saturating_sub(before[side])),
            bytes: Pair::of(|side| bytes[side] - bytes_before[side]),
        };
        Ok(Some(SessionSample {
            sides: self.figures(servers, &turns, &counted),
            cpu_log_ratio: hodges_lehmann(&blocks, 0.9).map_or(f64::NAN, |centre| centre.estimate),
            planted_share: 1.0 / every as f64,
            exchanges: exchanges as u64,
            unsteady,
        }))
    }

    /// The figures of both sides at the end of a session.
    fn figures(
        &self,
        servers: &Pair<Server>,
        turns: &Turns<'_>,
        counted: &Counted,
    ) -> Pair<SideFigures> {
        let usage = servers.as_ref().map(Server::usage);
        let rest = match self.planted {
            Some(_) => Pair::default(),
            None => at_rest(servers, self.more_clients(), self.started_first),
        };
        Pair::of(|side| {
            let of = |figure: fn(&Usage) -> f64| usage[side].as_ref().map_or(f64::NAN, figure);
            let median = turns.median_ns(side);
            SideFigures {
                cpu_us: micros(counted.cpu[side]) / counted.exchanges,
                p50_us: median.map_or(f64::NAN, |median| median / 1e3),
                rss_bytes: of(|usage| usage.own_bytes as f64),
                start_us: micros(servers[side].started_in()),
                descriptors: of(|usage| usage.descriptors as f64),
                threads: of(|usage| usage.threads as f64),
                idle_cores: rest[side].cores,
                idle_wakeups_per_s: rest[side].wakeups_per_s,
                connection_cpu_us: rest[side].connection.cpu_us,
                bytes_per_client: rest[side].connection.bytes,
                wire_bytes: counted.bytes[side] as f64 / counted.exchanges,
            }
        })
    }

    /// Number of clients that may come beside the one of the session.
    fn more_clients(&self) -> usize {
        let most = |side: Side| self.subjects[side].promise.most_connections();
        let most = Side::BOTH.into_iter().filter_map(most).min();
        most.map_or(usize::MAX, |most| most.saturating_sub(1))
    }

    /// Takes the unmeasured turns and returns the mean duration of a turn. So that a disturbance does not make that
    /// too long, it takes as many turns as a block has at least, unless the servers are slow.
    fn warm_up(&self, turns: &mut Turns<'_>) -> Result<Duration, FailedExchange> {
        let (begun, mut taken) = (now(), 0);
        loop {
            taken += turns.take(1, u64::MAX)?;
            let passed = since(begun);
            let enough = taken >= self.usual_every() || passed >= self.third();
            if enough && passed >= self.plan.warmup {
                return Ok(passed / taken as u32);
            }
        }
    }

    /// After how many turns a control session makes an extra exchange; a block is a multiple of it in all sessions.
    /// There is one in each third of a session, so the share that is planted in a slow server is larger than usual.
    fn every(&self, turn: Duration) -> usize {
        let most = self.third().as_nanos() / turn.as_nanos().max(1);
        self.usual_every().min(most as usize).max(1)
    }

    /// A third of the measured time.
    fn third(&self) -> Duration {
        self.plan.measured / BLOCKS_MIN as u32
    }
}

/// The number of turns that fill this time, at least one.
fn turns_in(time: Duration, turn: Duration) -> usize {
    let turns = time.as_secs_f64() / turn.as_secs_f64().max(1e-9);
    turns.ceil().max(1.0) as usize
}

fn client<'a>(
    participant: Participant,
    context: &'a EngineContext<'a>,
    patience: Duration,
    until: u64,
) -> Result<Client<'a>, FailedExchange> {
    let lockstep = Lockstep::new(context).map_err(|error| FailedExchange {
        participant,
        why: error.to_string(),
    })?;
    Ok(Client::new(participant, lockstep.within(patience, until)))
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
