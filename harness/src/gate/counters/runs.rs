//! Running a server under a tool, and the runs that make up a count.

use std::time::{Duration, Instant};

use super::folder::Folder;
use super::graph::of_an_operation;
use super::length::RunLength;
use super::requests::{gauge_requests, same_words};
use super::rest::Rest;
use super::script::{BEGUN, Places, WRITTEN};
use super::slope::{own_work, per_op};
use super::tool::{Tool, ToolOutput, VALGRIND};
use super::{CountError, CountMethod, CountPlan, CountedAll, CountedRun, Gauge, Graph, PerOp};
use crate::gate::same::program_file;
use crate::load::engine::{EngineContext, Lockstep, RunState};
use crate::load::{Workload, settle};
use crate::process::{Launch, Listening, Server, StartFailure, StartOptions};
use crate::subject::{Interrupt, Origin, Subject, runtime};
use crate::sys::initial_nofile;

/// Limit of open descriptors: the usual one. Under valgrind a program cannot raise its limit, and some that try
/// (memcached) ask for this one.
const NOFILE: u64 = 1_024;
/// Idle time after which a started server counts as settled.
const QUIET: Duration = Duration::from_millis(30);
/// Observation time for the CPU use of an idle server: some work ten times per second.
const IDLE: Duration = Duration::from_millis(150);
/// How long a start is awaited after the time for all runs is over.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Maximum wait for the exit of a server, during which valgrind writes its counts.
const EXIT_MAX: Duration = Duration::from_secs(20);
/// The signal that terminates a server where it sleeps. Servers normally do not handle it, and valgrind writes its
/// counts before the process exits. SIGKILL would leave no counts; SIGTERM would start the server's own shutdown, whose
/// cost varies.
pub(super) const TERMINATING_SIGNAL: i32 = libc::SIGVTALRM;

/// A server's own work during this time may be in one run and not in another, since it comes in bursts.
const UNEVEN: Duration = Duration::from_millis(200);
/// Factor by which a paced run may be longer than planned before it counts as late.
const LATE: f64 = 1.05;
/// The note about a server that works while idle.
const WORKS_WHILE_IDLE: &str = "the server works while it is idle, and that is counted: requests were sent at a fixed rate, so that each contains the same share of it";

/// The counted runs of one server under one tool.
pub(super) struct CountedRuns<'a> {
    pub(super) subject: &'a Subject,
    pub(super) workload: Workload,
    pub(super) cpu: Option<usize>,
    /// Longest wait for a start or a reply.
    pub(super) patience: Duration,
    /// The deadline of all runs together.
    pub(super) until: Instant,
    /// See [`CountPlan::pace`].
    pub(super) pace: Option<Duration>,
    pub(super) interrupt: &'a Interrupt,
    pub(super) tool: Tool<'a>,
}

impl<'a> CountedRuns<'a> {
    /// Runs at no fixed pace, which have so much time from now on.
    pub(super) fn new(
        subject: &'a Subject,
        workload: &Workload,
        patience: Duration,
        cpu: Option<usize>,
        interrupt: &'a Interrupt,
        tool: Tool<'a>,
    ) -> Self {
        Self {
            subject,
            workload: same_words(workload),
            cpu,
            patience,
            until: Instant::now() + patience,
            pace: None,
            interrupt,
            tool,
        }
    }
}

/// A counted run, and what else was observed.
pub(super) struct RunOutcome {
    pub(super) run: CountedRun,
    functions: Graph,
    pub(super) places: Places,
    tool: String,
    /// The duration of a request.
    request: Duration,
    /// From the start command to the first request, plus from the last reply to the exit.
    around: Duration,
    /// CPU use of the idle server as a share of a core; 0 if it was not measured.
    idle_cpu: f64,
    never_slept: bool,
    stopped_itself: bool,
}

/// The exchanges of a run.
struct Exchanges {
    /// Duration of each, until the server slept again.
    times: Vec<Duration>,
    took: Duration,
    /// CPU time of the server during the exchanges.
    cpu: Duration,
}

impl Exchanges {
    /// Mean duration in the second half: the first exchanges take longer, since valgrind still translates code.
    fn usual(&self) -> Duration {
        let later = &self.times[self.times.len() / 2..];
        later.iter().sum::<Duration>() / (later.len() as u32).max(1)
    }
}

impl CountedRuns<'_> {
    /// Runs the server once to measure its speed.
    pub(super) fn gauge(&self) -> Result<Gauge, CountError> {
        let outcome = self.run(RunLength::Gauge(gauge_requests(&self.workload)))?;
        Ok(Gauge {
            request: outcome.request,
            around: outcome.around,
            idle_cpu: outcome.idle_cpu,
            tool: outcome.tool,
            run: outcome.run,
        })
    }

    /// Makes all runs of the plan and computes the cost of an operation.
    pub(super) fn all(
        &self,
        plan: &CountPlan,
        mut gauge: Option<Gauge>,
    ) -> Result<CountedAll, CountError> {
        let mut by = CountMethod {
            tool: String::new(),
            runs: Vec::new(),
            notes: Vec::new(),
        };
        // A gauge has no fixed rate, and paced runs must be alike.
        gauge = gauge.filter(|_| self.pace.is_none());
        let mut idle_cpu = 0.0_f64;
        let mut graphs: Vec<(u64, Graph)> = Vec::new();
        for requests in &plan.requests {
            if let Some(gauge) = gauge.take() {
                by.tool = gauge.tool;
                by.runs.push(gauge.run);
                continue;
            }
            let outcome = self.run(RunLength::Exactly(*requests))?;
            by.tool.clone_from(&outcome.tool);
            outcome.note(self.pace, &mut by.notes);
            idle_cpu = idle_cpu.max(outcome.idle_cpu);
            graphs.push((outcome.run.requests, outcome.functions));
            by.runs.push(outcome.run);
        }
        if self.pace.is_some() {
            by.notes.push(WORKS_WHILE_IDLE.to_owned());
        }
        let uneven = UNEVEN.as_secs_f64() + self.late_s(&by.runs);
        let slopes = [0, 1].map(|which| {
            let total = |run: &CountedRun| (run.requests, run.totals[which]);
            let slope = per_op(&by.runs.iter().map(total).collect::<Vec<_>>())?;
            Some(slope.widened(own_work(&by.runs, which) * idle_cpu * uneven))
        });
        let nothing = PerOp {
            estimate: f64::NAN,
            low: f64::NAN,
            high: f64::NAN,
        };
        Ok(CountedAll {
            by,
            costs: slopes.map(|slope| slope.unwrap_or(nothing)),
            functions: of_an_operation(&graphs),
        })
    }

    /// By how many seconds a paced run exceeded its planned duration: the maximum over all runs.
    fn late_s(&self, runs: &[CountedRun]) -> f64 {
        let late = |run: &CountedRun| {
            let planned = self
                .pace
                .map(|pace| pace.as_secs_f64() * run.requests as f64);
            planned.map_or(0.0, |planned| run.seconds - planned)
        };
        runs.iter().map(late).fold(0.0, f64::max)
    }

    pub(super) fn run(&self, length: RunLength) -> Result<RunOutcome, CountError> {
        let launch = self.subject.launch().ok_or(CountError::Attached)?;
        if launch.listening == Listening::PerConnection {
            return Err(CountError::PerConnection);
        }
        if self.tool.is_valgrind() {
            program_file(VALGRIND).ok_or(CountError::NoValgrind)?;
        }
        let begun = Instant::now();
        settle(None);
        let folder = Folder::new()?;
        let runtime = runtime();
        let server = runtime.block_on(self.start(launch, &folder))?;
        let mut rest = Rest::of(&server);
        rest.settle(QUIET);
        folder.open_files();
        let started = begun.elapsed();
        let run_state = RunState::new(1);
        let context = self.context(&server, &run_state);
        // The connection stays open until the exit, so that closing it is not counted.
        let is_gone = || self.interrupt.is_set() || server.is_gone();
        let mut client = Lockstep::new(&context)?.patient(self.patience, &is_gone);
        let mut exchanges = self.exchange_all(&server, &mut client, &mut rest, length)?;
        if let Tool::Script(hook) = self.tool {
            self.ask(hook, &server, folder.path(), BEGUN)?;
            rest.wait();
            exchanges =
                self.exchange_all(&server, &mut client, &mut rest, RunLength::SCRIPT_MEASURED)?;
        }
        let idle_cpu = match (self.tool, length, self.pace) {
            (Tool::Script(_), ..) | (_, RunLength::Exactly(_), None) => 0.0,
            _ => idle_cpu(&server),
        };
        let never_slept = rest.never_sleeps();
        let ending = Instant::now();
        let pids = server.pids();
        if let Tool::Script(hook) = self.tool {
            self.ask(hook, &server, folder.path(), WRITTEN)?;
        }
        let stopped_itself = terminate(&server, &runtime, self.interrupt);
        if self.interrupt.is_set() {
            return Err(CountError::Interrupted);
        }
        let stderr = server.output().stderr_tail;
        let output = self.tool.read(folder.path())?;
        if self.tool.is_valgrind() {
            all_wrote(&output, &pids, stderr)?;
        }
        Ok(RunOutcome {
            run: CountedRun {
                requests: exchanges.times.len() as u64,
                seconds: exchanges.took.as_secs_f64(),
                cpu_s: exchanges.cpu.as_secs_f64(),
                totals: output.totals,
            },
            functions: output.graph,
            places: output.places,
            tool: output.tool,
            request: exchanges.usual(),
            around: started + ending.elapsed(),
            idle_cpu,
            never_slept,
            stopped_itself,
        })
    }

    async fn start(&self, launch: &Launch, folder: &Folder) -> Result<Server, CountError> {
        let subject = Subject {
            origin: Origin::Spawn(Box::new(self.tool.launch(launch, folder.path()))),
            ..self.subject.clone()
        };
        let hard = initial_nofile().1;
        let options = StartOptions {
            cpus: self.cpu.map(|cpu| vec![cpu]),
            // If the time is short, the interrupt ends the wait first, and its error says so.
            give_up: Some(self.patience + LAST_WORDS),
            nofile: Some((NOFILE.min(hard), hard)),
            ..StartOptions::default()
        };
        let failed = |failure: StartFailure| CountError::Start {
            failure: Box::new(failure),
        };
        tokio::select! {
            started = subject.server(options) => started.map_err(failed),
            () = self.interrupt.wait() => Err(CountError::Interrupted),
        }
    }

    fn failed(&self, server: &Server, number: u64, why: String) -> CountError {
        if self.interrupt.is_set() {
            return CountError::Interrupted;
        }
        let ended = server.exit().map(|exit| format!("; the server {exit}"));
        CountError::Exchange {
            number,
            why: why + &ended.unwrap_or_default(),
            stderr: server.output().stderr_tail,
        }
    }

    fn context<'s>(&'s self, server: &Server, run_state: &'s RunState) -> EngineContext<'s> {
        EngineContext::new(
            &self.workload,
            &self.subject.talk,
            self.subject.values_of(server),
            server.endpoint(),
            run_state,
        )
    }

    /// Makes the exchanges, each when the server sleeps.
    fn exchange_all(
        &self,
        server: &Server,
        client: &mut Lockstep<'_>,
        rest: &mut Rest<'_>,
        length: RunLength,
    ) -> Result<Exchanges, CountError> {
        let (mut times, mut connections) = (Vec::new(), 0);
        let cpu = || server.cpu().unwrap_or_default();
        let (begun, before) = (Instant::now(), cpu());
        while !length.is_over(times.len() as u64, begun) {
            if self.interrupt.is_set() {
                return Err(CountError::Interrupted);
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
        Ok(Exchanges {
            times,
            took: begun.elapsed(),
            cpu: cpu().saturating_sub(before),
        })
    }
}

/// The error of a run that exceeded the deadline, with the durations of its requests.
fn out_of_time(times: &[Duration]) -> CountError {
    let mean = |times: &[Duration]| times.iter().sum::<Duration>() / (times.len() as u32).max(1);
    let tenth = times.len().div_ceil(10);
    CountError::OutOfTime {
        requests: times.len(),
        first: mean(&times[..tenth]),
        last: mean(&times[times.len() - tenth..]),
    }
}

/// CPU use of the idle server, as a share of a core.
fn idle_cpu(server: &Server) -> f64 {
    let used = || server.cpu().unwrap_or_default();
    let (begun, before) = (Instant::now(), used());
    std::thread::sleep(IDLE);
    used().saturating_sub(before).as_secs_f64() / begun.elapsed().as_secs_f64()
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
        // The server may have a new thread or process for the new connection.
        rest.list();
        rest.wait();
    }
    client.ask();
    client.answered()?;
    rest.wait();
    Ok(())
}

/// Terminates the server where it sleeps. Returns true if the signal did not suffice and the server had to be stopped.
fn terminate(server: &Server, runtime: &tokio::runtime::Runtime, interrupt: &Interrupt) -> bool {
    server.signal_tree(TERMINATING_SIGNAL);
    if is_gone(server, EXIT_MAX / 2, interrupt) || interrupt.is_set() {
        return false;
    }
    runtime.block_on(async {
        tokio::select! {
            _ = server.stop(EXIT_MAX) => {}
            () = interrupt.wait() => {}
        }
    });
    is_gone(server, EXIT_MAX / 2, interrupt);
    true
}

fn is_gone(server: &Server, limit: Duration, interrupt: &Interrupt) -> bool {
    let begun = Instant::now();
    while !server.is_empty() && begun.elapsed() < limit && !interrupt.is_set() {
        std::thread::sleep(Duration::from_millis(2));
    }
    server.is_empty()
}

/// Checks that every process that was running at the end wrote its counts.
fn all_wrote(output: &ToolOutput, pids: &[u32], stderr: String) -> Result<(), CountError> {
    match pids.iter().find(|pid| !output.pids.contains(pid)) {
        None => Ok(()),
        Some(pid) => Err(CountError::Unwritten {
            pid: *pid,
            why: format!("{} of {} processes did", output.pids.len(), pids.len()),
            stderr,
        }),
    }
}

impl RunOutcome {
    fn note(&self, pace: Option<Duration>, notes: &mut Vec<String>) {
        let mut add = |note: &str| {
            if !notes.iter().any(|other| other == note) {
                notes.push(note.to_owned());
            }
        };
        let planned = pace.map(|pace| pace.as_secs_f64() * self.run.requests as f64);
        if planned.is_some_and(|planned| self.run.seconds > planned * LATE) {
            add("the machine did not keep the fixed rate: the counts are less exact");
        }
        if self.never_slept {
            add(
                "the server never sleeps: the work it does while waiting depends on time, and is counted",
            );
        }
        if self.stopped_itself {
            add("the server handles SIGVTALRM, so its own shutdown is counted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(requests: u64, cpu_s: f64, instructions: u64) -> CountedRun {
        CountedRun {
            requests,
            seconds: 2.0 * cpu_s,
            cpu_s,
            totals: [instructions, 0],
        }
    }

    #[test]
    fn own_work_goes_by_what_a_cpu_second_does() {
        let runs = [run(100, 0.5, 9_000_000), run(1_100, 2.5, 49_000_000)];
        // 20 million instructions per CPU second; the runs differ by 1,000 requests.
        assert_eq!(own_work(&runs, 0), 20_000.0);
        assert_eq!(own_work(&runs, 1), 0.0);
        assert_eq!(own_work(&runs[..1], 0), 0.0);
    }
}
