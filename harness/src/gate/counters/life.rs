//! One life of a server under a tool of valgrind, and the lives that make up a figure.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::plan::gauge_requests;
use super::rest::Rest;
use super::slope::per_op;
use super::tool::{Found, Tool, VALGRIND};
use super::{By, CountPlan, Gauge, NoCounts, PerOp};
use crate::check::run::{Interrupt, Subject, runtime};
use crate::gate::same::program_file;
use crate::load::engine::{Lockstep, Orders, Shared};
use crate::load::script::payload;
use crate::load::{Workload, settle};
use crate::target::{Launch, Server, StartFailure, StartOptions, Tmp};

/// A server that is not ready by then is not waited for; valgrind slows a start down by about so much.
const START_LEAST: Duration = Duration::from_secs(60);
const START_TIMES: u32 = 6;
/// Longest wait for a reply.
const PATIENCE: Duration = Duration::from_secs(60);
/// A server that did not run for so long has settled.
const QUIET: Duration = Duration::from_millis(30);
/// Longest wait for the end of a server, in which valgrind writes.
const END: Duration = Duration::from_secs(20);
/// The rest of a gauge is held if its first requests took less.
const QUICK: Duration = Duration::from_millis(250);
/// What ends a server where it sleeps. No usual server handles it, and valgrind writes its counts and lets the
/// process end as without valgrind. SIGKILL would leave no counts; SIGTERM would have the server stop as
/// it does, which is work of another amount each time.
const END_SIGNAL: i32 = libc::SIGVTALRM;

/// One life.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Life {
    /// Exchanges held.
    pub requests: u64,
    /// Seconds that they took.
    pub seconds: f64,
    /// Instructions and system calls, or blocks and bytes allocated: of all processes, start included.
    pub totals: [u64; 2],
}

/// Lives of one server under one tool.
pub(super) struct Lives<'a> {
    pub(super) subject: &'a Subject,
    pub(super) workload: &'a Workload,
    pub(super) cpu: Option<usize>,
    pub(super) interrupt: &'a Interrupt,
    pub(super) tool: Tool,
}

/// How many requests are held in a life.
#[derive(Debug, Clone, Copy)]
enum Stint {
    Exactly(u64),
    /// The first number, and the second if that went quickly.
    Gauge([u64; 2]),
}

/// A life, and what else is known of it.
struct Lived {
    life: Life,
    tool: String,
    /// From the order to start it until the first request could be said, and from the last reply until it
    /// was gone.
    around: Duration,
    never_slept: bool,
    stopped_itself: bool,
}

impl Lives<'_> {
    /// The life that tells how fast it is.
    pub(super) fn gauge(&self) -> Result<Gauge, NoCounts> {
        let lived = self.live(Stint::Gauge(gauge_requests(self.workload)))?;
        let requests = lived.life.requests.max(1) as f64;
        Ok(Gauge {
            request: Duration::from_secs_f64(lived.life.seconds / requests),
            around: lived.around,
            tool: lived.tool,
            life: lived.life,
        })
    }

    /// All lives of the plan, and what an operation takes by them.
    pub(super) fn all(
        &self,
        plan: &CountPlan,
        gauge: Option<Gauge>,
    ) -> Result<(By, [PerOp; 2]), NoCounts> {
        let mut by = By {
            tool: String::new(),
            lives: Vec::new(),
            notes: Vec::new(),
        };
        let mut gauge = gauge.filter(|gauge| plan.requests.first() == Some(&gauge.life.requests));
        for requests in &plan.requests {
            if let Some(gauge) = gauge.take() {
                by.lives.push(gauge.life);
                continue;
            }
            let lived = self.live(Stint::Exactly(*requests))?;
            by.tool.clone_from(&lived.tool);
            lived.note(&mut by.notes);
            by.lives.push(lived.life);
        }
        let slopes = [0, 1].map(|which| {
            let total = |life: &Life| (life.requests, life.totals[which]);
            per_op(&by.lives.iter().map(total).collect::<Vec<_>>())
        });
        let nothing = PerOp {
            estimate: f64::NAN,
            low: f64::NAN,
            high: f64::NAN,
        };
        Ok((by, slopes.map(|slope| slope.unwrap_or(nothing))))
    }

    fn live(&self, stint: Stint) -> Result<Lived, NoCounts> {
        let launch = self.subject.launch().ok_or(NoCounts::Attached)?;
        program_file(VALGRIND).ok_or(NoCounts::NoValgrind)?;
        let begun = Instant::now();
        settle(None);
        let tmp = Tmp::new().map_err(|error| NoCounts::Harness {
            doing: "make a temporary folder",
            error,
        })?;
        let runtime = runtime();
        let mut server = runtime.block_on(self.start(launch, &tmp))?;
        let mut rest = Rest::of(&server);
        rest.settle(QUIET);
        let started = begun.elapsed();
        let (requests, talked) = self.talk(&server, &mut rest, stint)?;
        let never_slept = rest.never_sleeps();
        let ending = Instant::now();
        let pids = server.pids();
        let stopped_itself = end(&server, &runtime);
        let stderr = server.output().stderr_tail;
        server.end();
        let found = self.tool.read(tmp.path())?;
        all_wrote(&found, &pids, stderr)?;
        Ok(Lived {
            life: Life {
                requests,
                seconds: talked.as_secs_f64(),
                totals: found.totals,
            },
            tool: found.tool,
            around: started + ending.elapsed(),
            never_slept,
            stopped_itself,
        })
    }

    async fn start(&self, launch: &Launch, tmp: &Tmp) -> Result<Server, NoCounts> {
        let launch = self.tool.launch(launch);
        let options = StartOptions {
            tmp: Some(tmp.clone()),
            cpus: self.cpu.map(|cpu| vec![cpu]),
            give_up: Some(START_LEAST.max(launch.ready_timeout * START_TIMES)),
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

    /// Holds the exchanges, each when the server sleeps: how many there were, and how long they took.
    fn talk(
        &self,
        server: &Server,
        rest: &mut Rest<'_>,
        stint: Stint,
    ) -> Result<(u64, Duration), NoCounts> {
        let shared = Shared::new(1);
        let orders = Orders {
            workload: self.workload,
            talk: &self.subject.talk,
            values: self.subject.values_of(server),
            payload: payload(self.workload.payload_bytes, self.workload.seed),
            addr: server.addr(),
            shared: &shared,
        };
        let mut client = Lockstep::new(&orders)?.patient(PATIENCE);
        let (mut requests, mut connections) = (0, 0);
        let begun = Instant::now();
        while !is_over(stint, requests, begun) {
            if self.interrupt.is_set() {
                return Err(NoCounts::Interrupted);
            }
            requests += 1;
            let exchanged = exchange(&mut client, rest, &mut connections);
            exchanged.map_err(|why| NoCounts::Exchange {
                number: requests,
                why,
                stderr: server.output().stderr_tail,
            })?;
        }
        Ok((requests, begun.elapsed()))
    }
}

fn is_over(stint: Stint, requests: u64, begun: Instant) -> bool {
    match stint {
        Stint::Exactly(all) => requests >= all,
        Stint::Gauge([least, most]) => {
            requests >= most || requests == least && begun.elapsed() > QUICK
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
    fn note(&self, notes: &mut Vec<String>) {
        let mut add = |note: &str| {
            if !notes.iter().any(|other| other == note) {
                notes.push(note.to_owned());
            }
        };
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
