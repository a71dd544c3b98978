//! One life of a server under a tool of valgrind, and the lives that make up a figure.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::folder::Folder;
use super::plan::gauge_requests;
use super::rest::Rest;
use super::slope::per_op;
use super::tool::{Found, Tool, VALGRIND};
use super::{By, CountPlan, Gauge, NoCounts, PerOp};
use crate::gate::same::program_file;
use crate::load::engine::{Lockstep, Orders, Shared};
use crate::load::{Workload, settle};
use crate::process::{Launch, Server, StartFailure, StartOptions};
use crate::subject::{Interrupt, Subject, runtime};
use crate::sys::initial_nofile;

/// Descriptors that it may open: the usual limit. Valgrind lets no program change its limit for good, and some
/// that set it (memcached) ask for this one.
const NOFILE: u64 = 1_024;
/// A server that did not run for so long has settled.
const QUIET: Duration = Duration::from_millis(30);
/// How long it is looked whether a server works while nothing is asked of it: some do ten times a second.
const IDLE: Duration = Duration::from_millis(150);
/// Longest wait for the end of a server, in which valgrind writes.
const END: Duration = Duration::from_secs(20);
/// A gauge that has taken longer holds no more requests.
const QUICK: Duration = Duration::from_millis(250);
/// What ends a server where it sleeps. No usual server handles it, and valgrind writes its counts and lets the
/// process end as without valgrind. SIGKILL would leave no counts; SIGTERM would have the server stop as
/// it does, which is work of another amount each time.
const END_SIGNAL: i32 = libc::SIGVTALRM;

/// What a server does on its own in such a time may be in one life and not in another: it is not done evenly.
const UNEVEN: Duration = Duration::from_millis(200);
/// A life at a fixed rate that took so many times what it should have did not keep the rate.
const LATE: f64 = 1.05;
/// A note.
const ON_ITS_OWN: &str = "the server works on its own while nothing is asked of it, and that is counted: requests were sent at a fixed rate, so that it is the same part of each";

/// One life.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Life {
    /// Exchanges held.
    pub requests: u64,
    /// Seconds that they took.
    pub seconds: f64,
    /// CPU seconds that the server took for them, under valgrind.
    pub cpu_s: f64,
    /// Instructions and system calls, or blocks and bytes allocated: of all processes, start included.
    pub totals: [u64; 2],
}

/// Lives of one server under one tool.
pub(super) struct Lives<'a> {
    pub(super) subject: &'a Subject,
    pub(super) workload: Workload,
    pub(super) cpu: Option<usize>,
    /// Longest wait until it is ready, and for a reply.
    pub(super) patience: Duration,
    /// When all lives are to be over: what was counted by then is of no use.
    pub(super) until: Instant,
    /// See [`CountPlan::pace`].
    pub(super) pace: Option<Duration>,
    pub(super) interrupt: &'a Interrupt,
    pub(super) tool: Tool,
}

/// How many requests are held in a life.
#[derive(Debug, Clone, Copy)]
enum Stint {
    Exactly(u64),
    /// The first number, and twice as many again and again, up to the second, as long as it is quick.
    Gauge([u64; 2]),
}

/// A life, and what else is known of it.
struct Lived {
    life: Life,
    tool: String,
    /// What a request took.
    request: Duration,
    /// From the order to start it until the first request could be said, and from the last reply until it
    /// was gone.
    around: Duration,
    /// The share of a core that it used while nothing was asked of it; 0 where that was not looked at.
    idle_cpu: f64,
    never_slept: bool,
    stopped_itself: bool,
}

/// The exchanges of a life.
struct Talked {
    /// What each took, until the server slept again.
    times: Vec<Duration>,
    took: Duration,
    /// What the server used meanwhile.
    cpu: Duration,
}

impl Talked {
    /// What one of the second half took: the first ones, which valgrind has yet to translate for, take longer.
    fn usual(&self) -> Duration {
        let later = &self.times[self.times.len() / 2..];
        later.iter().sum::<Duration>() / (later.len() as u32).max(1)
    }
}

impl Lives<'_> {
    /// The life that tells how fast it is.
    pub(super) fn gauge(&self) -> Result<Gauge, NoCounts> {
        let lived = self.live(Stint::Gauge(gauge_requests(&self.workload)))?;
        Ok(Gauge {
            request: lived.request,
            around: lived.around,
            idle_cpu: lived.idle_cpu,
            tool: lived.tool,
            life: lived.life,
        })
    }

    /// All lives of the plan, and what an operation takes by them.
    pub(super) fn all(
        &self,
        plan: &CountPlan,
        mut gauge: Option<Gauge>,
    ) -> Result<(By, [PerOp; 2]), NoCounts> {
        let mut by = By {
            tool: String::new(),
            lives: Vec::new(),
            notes: Vec::new(),
        };
        // At a fixed rate all lives are to be alike.
        gauge = gauge.filter(|_| self.pace.is_none());
        let mut idle_cpu = 0.0_f64;
        for requests in &plan.requests {
            if let Some(gauge) = gauge.take() {
                by.tool = gauge.tool;
                by.lives.push(gauge.life);
                continue;
            }
            let lived = self.live(Stint::Exactly(*requests))?;
            by.tool.clone_from(&lived.tool);
            lived.note(self.pace, &mut by.notes);
            idle_cpu = idle_cpu.max(lived.idle_cpu);
            by.lives.push(lived.life);
        }
        if self.pace.is_some() {
            by.notes.push(ON_ITS_OWN.to_owned());
        }
        let uneven = UNEVEN.as_secs_f64() + self.late_s(&by.lives);
        let slopes = [0, 1].map(|which| {
            let total = |life: &Life| (life.requests, life.totals[which]);
            let slope = per_op(&by.lives.iter().map(total).collect::<Vec<_>>())?;
            Some(slope.widened(own_work(&by.lives, which) * idle_cpu * uneven))
        });
        let nothing = PerOp {
            estimate: f64::NAN,
            low: f64::NAN,
            high: f64::NAN,
        };
        Ok((by, slopes.map(|slope| slope.unwrap_or(nothing))))
    }

    /// By how many seconds a life at a fixed rate was longer than it should have been, at most.
    fn late_s(&self, lives: &[Life]) -> f64 {
        let late = |life: &Life| {
            let planned = self
                .pace
                .map(|pace| pace.as_secs_f64() * life.requests as f64);
            planned.map_or(0.0, |planned| life.seconds - planned)
        };
        lives.iter().map(late).fold(0.0, f64::max)
    }

    fn live(&self, stint: Stint) -> Result<Lived, NoCounts> {
        let launch = self.subject.launch().ok_or(NoCounts::Attached)?;
        program_file(VALGRIND).ok_or(NoCounts::NoValgrind)?;
        let begun = Instant::now();
        settle(None);
        let folder = Folder::new()?;
        let runtime = runtime();
        let server = runtime.block_on(self.start(launch, &folder))?;
        let mut rest = Rest::of(&server);
        rest.settle(QUIET);
        folder.open_files();
        let started = begun.elapsed();
        let shared = Shared::new(1);
        let orders = self.orders(&server, &shared);
        // The connection stays open until the end: how the server closes it is not counted.
        let in_vain = || self.interrupt.is_set() || server.is_gone();
        let mut client = Lockstep::new(&orders)?.patient(self.patience, &in_vain);
        let talked = self.talk(&server, &mut client, &mut rest, stint)?;
        let idle_cpu = match (stint, self.pace) {
            (Stint::Exactly(_), None) => 0.0,
            _ => idle_cpu(&server),
        };
        let never_slept = rest.never_sleeps();
        let ending = Instant::now();
        let pids = server.pids();
        let stopped_itself = end(&server, &runtime);
        let stderr = server.output().stderr_tail;
        let found = self.tool.read(folder.path())?;
        all_wrote(&found, &pids, stderr)?;
        Ok(Lived {
            life: Life {
                requests: talked.times.len() as u64,
                seconds: talked.took.as_secs_f64(),
                cpu_s: talked.cpu.as_secs_f64(),
                totals: found.totals,
            },
            tool: found.tool,
            request: talked.usual(),
            around: started + ending.elapsed(),
            idle_cpu,
            never_slept,
            stopped_itself,
        })
    }

    async fn start(&self, launch: &Launch, folder: &Folder) -> Result<Server, NoCounts> {
        let launch = self.tool.launch(launch, folder.path());
        let hard = initial_nofile().1;
        let options = StartOptions {
            cpus: self.cpu.map(|cpu| vec![cpu]),
            give_up: Some(self.patience),
            nofile: Some((NOFILE.min(hard), hard)),
            ..StartOptions::default()
        };
        let failed = |failure: StartFailure| NoCounts::Start {
            failure: Box::new(failure),
        };
        tokio::select! {
            started = Server::start(&launch, options) => started.map_err(failed),
            () = self.interrupt.wait() => Err(NoCounts::Interrupted),
        }
    }

    fn failed(&self, server: &Server, number: u64, why: String) -> NoCounts {
        if self.interrupt.is_set() {
            return NoCounts::Interrupted;
        }
        let ended = server.exit().map(|exit| format!("; the server {exit}"));
        NoCounts::Exchange {
            number,
            why: why + &ended.unwrap_or_default(),
            stderr: server.output().stderr_tail,
        }
    }

    fn orders<'s>(&'s self, server: &Server, shared: &'s Shared) -> Orders<'s> {
        Orders::new(
            &self.workload,
            &self.subject.talk,
            self.subject.values_of(server),
            server.addr(),
            shared,
        )
    }

    /// Holds the exchanges, each when the server sleeps.
    fn talk(
        &self,
        server: &Server,
        client: &mut Lockstep<'_>,
        rest: &mut Rest<'_>,
        stint: Stint,
    ) -> Result<Talked, NoCounts> {
        let (mut times, mut connections) = (Vec::new(), 0);
        let cpu = || server.cpu().unwrap_or_default();
        let (begun, before) = (Instant::now(), cpu());
        while !is_over(stint, times.len() as u64, begun) {
            if self.interrupt.is_set() {
                return Err(NoCounts::Interrupted);
            }
            if Instant::now() > self.until {
                return Err(out_of_time(&times));
            }
            if let Some(pace) = self.pace {
                let due = begun + pace * times.len() as u32;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            let asked = Instant::now();
            let exchanged = exchange(client, rest, &mut connections);
            exchanged.map_err(|why| self.failed(server, times.len() as u64 + 1, why))?;
            times.push(asked.elapsed());
        }
        Ok(Talked {
            times,
            took: begun.elapsed(),
            cpu: cpu().saturating_sub(before),
        })
    }
}

/// Why there was not enough time, by what each request took.
fn out_of_time(times: &[Duration]) -> NoCounts {
    let mean = |times: &[Duration]| times.iter().sum::<Duration>() / (times.len() as u32).max(1);
    let tenth = times.len().div_ceil(10);
    NoCounts::OutOfTime {
        requests: times.len(),
        first: mean(&times[..tenth]),
        last: mean(&times[times.len() - tenth..]),
    }
}

/// What a CPU second of its work adds to a total, for each request by which the lives differ.
fn own_work(lives: &[Life], which: usize) -> f64 {
    let by_requests = |life: &&Life| life.requests;
    let (few, many) = (
        lives.iter().min_by_key(by_requests),
        lives.iter().max_by_key(by_requests),
    );
    few.zip(many).map_or(0.0, |(few, many)| {
        let more = many.totals[which].saturating_sub(few.totals[which]) as f64;
        let requests = many.requests.saturating_sub(few.requests) as f64;
        more / (many.cpu_s - few.cpu_s).max(f64::EPSILON) / requests.max(1.0)
    })
}

/// What it uses while nothing is asked of it, as a share of a core.
fn idle_cpu(server: &Server) -> f64 {
    let used = || server.cpu().unwrap_or_default();
    let (begun, before) = (Instant::now(), used());
    std::thread::sleep(IDLE);
    used().saturating_sub(before).as_secs_f64() / begun.elapsed().as_secs_f64()
}

fn is_over(stint: Stint, requests: u64, begun: Instant) -> bool {
    match stint {
        Stint::Exactly(all) => requests >= all,
        Stint::Gauge([least, most]) => {
            let doubled = requests.is_multiple_of(least) && (requests / least).is_power_of_two();
            requests >= most || doubled && begun.elapsed() > QUICK
        }
    }
}

fn exchange(
    client: &mut Lockstep<'_>,
    rest: &mut Rest<'_>,
    connections: &mut usize,
) -> Result<(), String> {
    client.ready()?;
    rest.wait();
    if client.connections() != *connections {
        *connections = client.connections();
        // There may be a new thread or process for it.
        rest.list();
        rest.wait();
    }
    client.ask();
    client.answered()?;
    rest.wait();
    Ok(())
}

/// Ends it where it sleeps; one that does not end by that is asked to stop. Whether it had to be asked.
fn end(server: &Server, runtime: &tokio::runtime::Runtime) -> bool {
    server.signal_tree(END_SIGNAL);
    if is_gone(server, END / 2) {
        return false;
    }
    runtime.block_on(server.stop(END));
    is_gone(server, END / 2);
    true
}

fn is_gone(server: &Server, limit: Duration) -> bool {
    let begun = Instant::now();
    while !server.is_empty() && begun.elapsed() < limit {
        std::thread::sleep(Duration::from_millis(2));
    }
    server.is_empty()
}

/// Every process that was there at the end has left its counts.
fn all_wrote(found: &Found, pids: &[u32], stderr: String) -> Result<(), NoCounts> {
    match pids.iter().find(|pid| !found.pids.contains(pid)) {
        None => Ok(()),
        Some(pid) => Err(NoCounts::Unwritten {
            pid: *pid,
            why: format!("{} of {} processes did", found.pids.len(), pids.len()),
            stderr,
        }),
    }
}

impl Lived {
    fn note(&self, pace: Option<Duration>, notes: &mut Vec<String>) {
        let mut add = |note: &str| {
            if !notes.iter().any(|other| other == note) {
                notes.push(note.to_owned());
            }
        };
        let planned = pace.map(|pace| pace.as_secs_f64() * self.life.requests as f64);
        if planned.is_some_and(|planned| self.life.seconds > planned * LATE) {
            add("the machine did not keep that rate: the figures are less exact");
        }
        if self.never_slept {
            add(
                "the server never sleeps: what it does while it waits depends on time, and is counted",
            );
        }
        if self.stopped_itself {
            add("the server handles SIGVTALRM and had to stop by itself, which is counted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(requests: u64, cpu_s: f64, instructions: u64) -> Life {
        Life {
            requests,
            seconds: 2.0 * cpu_s,
            cpu_s,
            totals: [instructions, 0],
        }
    }

    #[test]
    fn own_work_goes_by_what_a_cpu_second_does() {
        let lives = [life(100, 0.5, 9_000_000), life(1_100, 2.5, 49_000_000)];
        // 20 million instructions in a CPU second; 1,000 requests between the lives.
        assert_eq!(own_work(&lives, 0), 20_000.0);
        assert_eq!(own_work(&lives, 1), 0.0);
        assert_eq!(own_work(&lives[..1], 0), 0.0);
    }

    #[test]
    fn a_gauge_ends_after_doubling_as_soon_as_it_takes_long() {
        let gauge = Stint::Gauge([32, 256]);
        let now = Instant::now();
        let long_ago = now.checked_sub(2 * QUICK).unwrap();
        assert!(!is_over(gauge, 0, long_ago) && !is_over(gauge, 31, long_ago));
        assert!(is_over(gauge, 32, long_ago) && is_over(gauge, 128, long_ago));
        assert!(!is_over(gauge, 96, long_ago) && !is_over(gauge, 128, now));
        assert!(is_over(gauge, 256, now));
        assert!(is_over(Stint::Exactly(7), 7, now) && !is_over(Stint::Exactly(7), 6, now));
    }
}
