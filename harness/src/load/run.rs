//! Runs one load: the engine threads, and the calling thread, which watches them and the server.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity, set_current_timer_slack};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::engine::{
    Engine, EngineContext, EngineError, Measured, RunState, Tally, ThreadUsage, now,
};
use super::machine::Machine;
use super::packed;
use super::recorder::{MeasuredPeriod, Times, Window, times};
use super::transport::SampledEnds;
use super::workload::Workload;
use crate::event::{Event, Sink};
use crate::process::Server;
use crate::subject::Interrupt;
use crate::talk::Talk;

/// Time from the opening of the last connection to the first request.
const START_DELAY: Duration = Duration::from_millis(5);
/// Interval at which the server and the interrupt are checked and the progress is reported.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// A load and the server that receives it.
pub struct Load<'a> {
    /// The requests and how they are paced.
    pub workload: &'a Workload,
    /// The conversation.
    pub talk: &'a Talk,
    /// Values for names in the talk's templates, other than token and payload.
    pub values: BTreeMap<String, Vec<u8>>,
    /// The server, ready to accept connections.
    pub server: &'a Server,
    /// Ends the load early; what was measured is kept.
    pub interrupt: &'a Interrupt,
    /// When the first request is due, in nanoseconds of the monotonic clock; `None`: once all connections are open.
    pub begin: Option<u64>,
    /// Receives the live progress.
    pub sink: Sink<'a>,
}

/// The raw measurements of a load, merged over all threads. The report of a part contains them: the figures of the whole
/// are computed from those of all parts.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Measurement {
    /// The planned measured period.
    #[serde(skip)]
    pub period: MeasuredPeriod,
    /// Seconds of the measured period; fewer than planned if it was ended early.
    pub seconds: f64,
    /// Response and service times per window.
    pub windows: Vec<Window>,
    /// Waiting times of requests that got no reply.
    #[serde(with = "packed")]
    #[schemars(with = "String")]
    pub unanswered: Times,
    /// Delays from the intended to the actual send, where the client caused them.
    #[serde(with = "packed")]
    #[schemars(with = "String")]
    pub lag: Times,
    /// Counts of events.
    pub tally: Tally,
    /// What each engine thread used in the measured period.
    pub threads: Vec<ThreadUsage>,
    /// Sampled connections.
    pub ends: Vec<SampledEnds>,
    /// What the server used in the measured period, if tcprove can read that.
    pub server: Option<ServerUse>,
    /// CPU time that the machine withheld in the measured period.
    pub machine: Machine,
    /// How the server ended, if it ended during the load.
    pub died: Option<String>,
    /// Whether the user interrupted the load.
    pub interrupted: bool,
    /// How long after its agreed start the load began.
    pub late: Duration,
    /// Number of cores left for the server, if it runs on this machine.
    pub server_cpus: usize,
}

/// Resources that the server used in the measured period.
#[derive(Debug, Clone, Copy, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct ServerUse {
    /// CPU time of all its processes.
    pub cpu: Duration,
    /// Number of threads at the end.
    pub threads: usize,
    /// Resident memory at the end.
    pub rss_bytes: u64,
    /// Peak resident memory since the server started.
    pub rss_peak_bytes: u64,
    /// Voluntary and involuntary context switches.
    pub context_switches: u64,
}

/// Divides the cores that this process may use: the last `threads` for the engine threads, the others for the server.
///
/// Returns the engine's cores, then the server's; `None` if no core would be left for the server.
pub(crate) fn cores(threads: usize) -> Option<(Vec<usize>, Vec<usize>)> {
    let allowed = sched_getaffinity(None).ok()?;
    let all: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|cpu| allowed.is_set(*cpu))
        .collect();
    let split = all.len().checked_sub(threads).filter(|left| *left > 0)?;
    let (server, ours) = all.split_at(split);
    Some((ours.to_vec(), server.to_vec()))
}

/// The cores of a server that receives this load; `None` if it may use all.
pub(crate) fn server_cores(workload: &Workload) -> Option<Vec<usize>> {
    let cores = cores(workload.threads).filter(|_| workload.pin);
    cores.map(|(_, servers)| servers)
}

impl Load<'_> {
    /// Runs the load to its end.
    ///
    /// # Errors
    /// The load could not start: an epoll instance could not be created, or a turn of the talk could not be rendered.
    pub fn run(&self) -> Result<Measurement, EngineError> {
        let threads = self.workload.threads;
        let run_state = RunState::new(threads);
        let context = EngineContext::new(
            self.workload,
            self.talk,
            self.values.clone(),
            self.server.endpoint(),
            &run_state,
        );
        let engines: Result<Vec<Engine<'_>>, EngineError> = (0..threads)
            .map(|thread| Engine::new(&context, thread))
            .collect();
        let engines = engines?;
        let cores = cores(threads).filter(|_| self.workload.pin);
        Ok(std::thread::scope(|scope| {
            let running: Vec<_> = engines
                .into_iter()
                .enumerate()
                .map(|(thread, engine)| {
                    let core = cores.as_ref().map(|(ours, _)| ours[thread]);
                    scope.spawn(move || {
                        settle(core);
                        engine.run()
                    })
                })
                .collect();
            let watched = self.watch(&run_state);
            let ends = self.sample_ends(&run_state);
            run_state.release();
            let measured = running.into_iter().filter_map(|thread| thread.join().ok());
            let mut whole = merge(measured, ends, watched);
            whole.server_cpus = cores.map_or_else(available_cpus, |(_, server)| server.len());
            whole
        }))
    }

    /// Watches the load from the first connect to the end of the measured period, and reads the server's counters.
    fn watch(&self, run_state: &RunState) -> Watched {
        let mut watched = Watched::default();
        while run_state.connected() < self.workload.threads
            && self.keep_running(run_state, &mut watched)
        {
            (self.sink)(self.progress(run_state, None));
            std::thread::sleep(Duration::from_millis(2));
        }
        let ready = now();
        let begin = self.begin.unwrap_or(ready + START_DELAY.as_nanos() as u64);
        watched.late = Duration::from_nanos(ready.saturating_sub(begin));
        run_state.begin(begin);
        self.watch_period(begin, run_state, &mut watched);
        watched
    }

    /// Watches the server while other processes generate the load: everything but the server's use is empty.
    pub(crate) fn observe(&self) -> Measurement {
        let mut watched = Watched::default();
        let begin = self.begin.unwrap_or_else(now);
        watched.late = Duration::from_nanos(now().saturating_sub(begin));
        self.watch_period(begin, &RunState::new(0), &mut watched);
        let mut observed = merge(std::iter::empty(), Vec::new(), watched);
        observed.server_cpus = available_cpus();
        observed
    }

    /// Waits until the end of the measured period, and reads the counters at its beginning and its end.
    fn watch_period(&self, begin: u64, run_state: &RunState, watched: &mut Watched) {
        let from = begin + self.workload.warmup.as_nanos() as u64;
        let to = from + self.workload.duration.as_nanos() as u64;
        watched.period = MeasuredPeriod { from, to };
        self.wait_until(from, run_state, watched, begin);
        let before = (self.server_use(), Machine::read());
        self.wait_until(to, run_state, watched, begin);
        let after = (self.server_use(), Machine::read(), now());
        watched.seconds = after.2.min(to).saturating_sub(from) as f64 / 1e9;
        watched.machine = after.1.since(&before.1);
        watched.server = before.0.zip(after.0).map(|(before, after)| ServerUse {
            cpu: after.cpu.saturating_sub(before.cpu),
            context_switches: after
                .context_switches
                .saturating_sub(before.context_switches),
            ..after
        });
    }

    fn wait_until(&self, moment: u64, run_state: &RunState, watched: &mut Watched, begin: u64) {
        loop {
            let left = Duration::from_nanos(moment.saturating_sub(now()));
            if left.is_zero() || !self.keep_running(run_state, watched) {
                return;
            }
            (self.sink)(self.progress(run_state, Some(begin)));
            std::thread::sleep(left.min(WATCH_INTERVAL));
        }
    }

    /// Whether the load continues. It stops the engine threads once the server is gone or the user interrupts.
    fn keep_running(&self, run_state: &RunState, watched: &mut Watched) -> bool {
        watched.interrupted |= self.interrupt.is_set();
        if watched.died.is_none() && self.server.is_gone() {
            watched.died = Some(self.server.exit().map_or_else(
                || "is no longer running".to_owned(),
                |exit| exit.to_string(),
            ));
        }
        if watched.died.is_none()
            && let Some(trouble) = self.server.helper_trouble()
        {
            let trouble = trouble.to_string();
            let first = trouble.lines().next().unwrap_or_default();
            watched.died = Some(format!("has lost what it needs: {first}"));
        }
        let keep_running = !watched.interrupted && watched.died.is_none();
        if !keep_running {
            run_state.stop();
        }
        keep_running
    }

    fn progress(&self, run_state: &RunState, begin: Option<u64>) -> Event {
        let live = &run_state.live;
        Event::Load {
            elapsed: begin.map(|begin| Duration::from_nanos(now().saturating_sub(begin))),
            connections: live
                .open
                .iter()
                .map(|open| open.load(Ordering::Relaxed))
                .sum(),
            ops: live.ops.load(Ordering::Relaxed),
            troubles: live.troubles.load(Ordering::Relaxed),
        }
    }

    /// Reads the server's ends of the sampled connections while they are still open.
    fn sample_ends(&self, run_state: &RunState) -> Vec<SampledEnds> {
        while run_state.drained() < self.workload.threads && !run_state.is_stopped() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let ends = run_state.take_ends().into_iter();
        ends.map(|end| SampledEnds::of(&end, self.server.peer_socket(Some(end.local)).as_ref()))
            .collect()
    }

    fn server_use(&self) -> Option<ServerUse> {
        let usage = self.server.usage()?;
        Some(ServerUse {
            cpu: usage.cpu,
            threads: usage.threads,
            rss_bytes: usage.rss_bytes,
            rss_peak_bytes: usage.rss_peak_bytes,
            context_switches: self.server.context_switches(),
        })
    }
}

/// What the watching thread recorded.
#[derive(Debug, Default)]
struct Watched {
    period: MeasuredPeriod,
    seconds: f64,
    server: Option<ServerUse>,
    machine: Machine,
    died: Option<String>,
    interrupted: bool,
    late: Duration,
}

/// Number of cores that this process may use.
fn available_cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Pins the calling thread to `core`, and sets the shortest timer slack so that it sleeps as precisely as possible.
pub(crate) fn settle(core: Option<usize>) {
    // Failures are ignored: both settings only reduce noise, and the validity of a load is judged from its figures.
    let _ = set_current_timer_slack(std::num::NonZeroU64::new(1));
    if let Some(core) = core {
        let mut cores = CpuSet::new();
        cores.set(core);
        let _ = sched_setaffinity(None, &cores);
    }
}

fn merge(
    threads: impl Iterator<Item = Measured>,
    ends: Vec<SampledEnds>,
    watched: Watched,
) -> Measurement {
    let mut whole = Measurement {
        period: watched.period,
        seconds: watched.seconds,
        windows: Vec::new(),
        unanswered: times(),
        lag: times(),
        tally: Tally::default(),
        threads: Vec::new(),
        ends,
        server: watched.server,
        machine: watched.machine,
        died: watched.died,
        interrupted: watched.interrupted,
        late: watched.late,
        server_cpus: 1,
    };
    for thread in threads {
        whole.tally.add(&thread.tally);
        whole.threads.push(thread.usage);
        // Adding cannot fail: all histograms have the same bounds.
        let _ = whole.unanswered.add(&thread.unanswered);
        let _ = whole.lag.add(&thread.lag);
        if whole.windows.is_empty() {
            whole.windows = thread.windows;
            continue;
        }
        for (sum, window) in whole.windows.iter_mut().zip(&thread.windows) {
            sum.add(window);
        }
    }
    whole
}
