//! One session: two fresh servers, a warm-up, blocks of exchanges, a ratio.

use std::fmt;
use std::time::Duration;

use super::DuetPlan;
use super::turns::{BALLAST, Turns};
use crate::gate::metric::Metric;
use crate::gate::run::LAST_MOMENTS;
use crate::load::engine::{Lockstep, Orders, Shared, now};
use crate::process::{Server, StartFailure, StartOptions, Vitals};
use crate::stats::hodges_lehmann;
use crate::subject::{Interrupt, Subject};

/// A block is about so long: short enough that what disturbs the machine spoils few of them, long enough
/// that the two readings of the clock do not count.
const BLOCK: Duration = Duration::from_millis(20);
/// A session has at least so many blocks, however slow the server is.
const BLOCKS_MIN: usize = 3;
/// Less memory than this is no difference: of a small server it would be many percent.
const RSS_LEAST: f64 = 1024.0 * 1024.0;

/// How the CPU time of a side is read, of the processes of both sides.
#[derive(Clone, Copy, Debug)]
pub struct Meter(pub fn(&[Vitals; 2], usize) -> Duration);

impl Meter {
    /// The kernel's clocks of the side's own processes.
    pub const OWN: Self = Self(|vitals, side| vitals[side].glance().cpu);
}

/// One session to be held.
pub(super) struct Session<'a> {
    pub sides: [&'a Subject; 2],
    /// The side that is started first.
    pub started_first: usize,
    /// The side that is given more to do.
    pub planted: Option<usize>,
    pub plan: &'a DuetPlan,
    /// The core of both servers.
    pub cpu: Option<usize>,
    pub interrupt: &'a Interrupt,
    pub meter: Meter,
}

/// What one side came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Figures {
    /// CPU time for each counted exchange, in microseconds.
    pub cpu_us: f64,
    /// Median response time, in microseconds.
    pub p50_us: f64,
    /// Resident memory at the end without pages of files, in bytes: of those a larger program has more.
    pub rss_bytes: f64,
}

/// What a session came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Both sides.
    pub sides: [Figures; 2],
    /// ln(second side / first side) of CPU time per exchange: the centre of the blocks.
    pub cpu_log_ratio: f64,
    /// Exchanges of each side that were counted.
    pub exchanges: u64,
    /// A side whose processes were not the same at the end as at the begin: what those that came and went
    /// used is not in the figures.
    pub unsteady: Option<usize>,
}

impl Sample {
    /// ln(second side / first side) of a metric that a duet measures; not a number for others.
    pub fn log_ratio(&self, metric: Metric) -> f64 {
        let [first, second] = &self.sides;
        match metric {
            Metric::ServerCpu => self.cpu_log_ratio,
            Metric::ServerCpuAll => (second.cpu_us / first.cpu_us).ln(),
            Metric::P50 => (second.p50_us / first.p50_us).ln(),
            Metric::Rss if (second.rss_bytes - first.rss_bytes).abs() < RSS_LEAST => 0.0,
            Metric::Rss => (second.rss_bytes / first.rss_bytes).ln(),
            _ => f64::NAN,
        }
    }
}

/// An exchange failed.
pub(super) struct Failed {
    pub side: usize,
    pub why: String,
}

/// Why a session came to nothing.
#[derive(Debug)]
pub struct Trouble {
    /// Whose server it was: 0 the first side, 1 the second.
    pub side: usize,
    /// Whether both sides were the base.
    pub control: bool,
    /// What happened.
    pub what: What,
}

/// What happened to a server in a session.
#[derive(Debug)]
pub enum What {
    /// It did not start.
    Start(Box<StartFailure>),
    /// It ended.
    Died(String),
    /// An exchange failed.
    Exchange(String),
}

impl What {
    /// A server that ended by itself needs no second look.
    pub(super) fn is_fact(&self) -> bool {
        matches!(self, Self::Died(_))
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(failure) => write!(f, "did not start: {failure}"),
            Self::Died(how) => write!(f, "died: {how}"),
            Self::Exchange(why) => write!(f, "did not hold its conversation: {why}"),
        }
    }
}

impl Session<'_> {
    /// Starts both servers, lets them answer at the same time, and ends them.
    pub(super) fn hold(&self, runtime: &tokio::runtime::Runtime) -> Result<Sample, Trouble> {
        let servers = self.start(runtime)?;
        self.talk_to(&servers).map_err(|Failed { side, why }| {
            // A connection that is closed is seen before the end of its process.
            let exit = runtime.block_on(servers[side].wait_exit(LAST_MOMENTS));
            let what = match exit {
                Some(exit) => What::Died(format!("{exit} ({why})")),
                None => What::Exchange(why),
            };
            self.trouble(side, what)
        })
    }

    fn talk_to(&self, servers: &[Server]) -> Result<Sample, Failed> {
        let shared: Vec<Shared> = servers.iter().map(|_| Shared::new(1)).collect();
        let orders = servers.iter().zip(&shared).enumerate();
        let orders: Vec<Orders<'_>> = orders
            .map(|(side, (server, shared))| self.orders(side, server, shared))
            .collect();
        let clients = orders.iter().enumerate().map(|(side, orders)| {
            Lockstep::new(orders).map_err(|error| Failed {
                side,
                why: error.to_string(),
            })
        });
        let every = (1.0 / self.plan.planted).round().max(1.0) as usize;
        let turns = Turns::new(clients.collect::<Result<_, _>>()?, self.planted, every);
        self.measure(turns, every, servers)
    }

    fn orders<'s>(&'s self, side: usize, server: &Server, shared: &'s Shared) -> Orders<'s> {
        let (subject, workload) = (self.subject(side), &self.plan.workload);
        Orders::new(
            workload,
            &subject.talk,
            subject.values_of(server),
            server.addr(),
            shared,
        )
    }

    fn start(&self, runtime: &tokio::runtime::Runtime) -> Result<Vec<Server>, Trouble> {
        let start = |side: usize| {
            let options = StartOptions {
                cpus: self.cpu.map(|cpu| vec![cpu]),
                // Where a program happens to lie makes it faster or slower for its whole life.
                fixed_addresses: true,
                ..StartOptions::default()
            };
            let started = runtime.block_on(self.subject(side).server(options));
            started.map_err(|failure| self.trouble(side, What::Start(Box::new(failure))))
        };
        let one = start(self.started_first)?;
        let other = start(1 - self.started_first)?;
        let mut servers = match self.started_first {
            0 => vec![one, other],
            _ => vec![other, one],
        };
        if self.planted.is_some() {
            servers.push(start(BALLAST)?);
        }
        Ok(servers)
    }

    /// The ballast is the base, as both sides are where there is one.
    fn subject(&self, side: usize) -> &Subject {
        self.sides.get(side).copied().unwrap_or(self.sides[0])
    }

    fn trouble(&self, side: usize, what: What) -> Trouble {
        Trouble {
            side,
            control: self.planted.is_some(),
            what,
        }
    }

    fn measure(
        &self,
        mut turns: Turns<'_>,
        every: usize,
        servers: &[Server],
    ) -> Result<Sample, Failed> {
        let in_block = self.warm_up(&mut turns, every)?;
        turns.forget_times();
        let pids = [servers[0].pids(), servers[1].pids()];
        let vitals = pids.each_ref().map(|pids| Vitals::of(pids.iter().copied()));
        let read = || [0, 1].map(|side| (self.meter.0)(&vitals, side));
        let (begun, before) = (now(), read());
        let (mut last, mut blocks) = (before, Vec::new());
        while blocks.len() < BLOCKS_MIN || since(begun) < self.plan.measured {
            turns.take(in_block)?;
            let used = read();
            blocks.push(log_ratio(&last, &used));
            last = used;
            if self.interrupt.is_set() {
                break;
            }
        }
        let exchanges = blocks.len() * in_block;
        let figures = |side: usize| Figures {
            cpu_us: micros(last[side].saturating_sub(before[side])) / exchanges as f64,
            p50_us: turns
                .median_ns(side)
                .map_or(f64::NAN, |median| median / 1e3),
            rss_bytes: servers[side]
                .usage()
                .map_or(f64::NAN, |usage| usage.own_bytes as f64),
        };
        Ok(Sample {
            sides: [figures(0), figures(1)],
            cpu_log_ratio: hodges_lehmann(&blocks, 0.9).map_or(f64::NAN, |centre| centre.estimate),
            exchanges: exchanges as u64,
            unsteady: (0..2).find(|side| servers[*side].pids() != pids[*side]),
        })
    }

    /// Exchanges that are not measured; how many turns make a block: a multiple of `every`, so that each has
    /// its part of what is planted.
    fn warm_up(&self, turns: &mut Turns<'_>, every: usize) -> Result<usize, Failed> {
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

/// ln(second side / first side) of the CPU time that was used between two looks.
fn log_ratio(from: &[Duration; 2], to: &[Duration; 2]) -> f64 {
    let used = |side: usize| micros(to[side].saturating_sub(from[side]));
    (used(1) / used(0)).ln()
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
            let side = |rss_bytes| Figures {
                rss_bytes,
                ..Figures::default()
            };
            Sample {
                sides: [side(2e6), side(bytes)],
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
