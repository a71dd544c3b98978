//! One load, from the first connect to the last reply: the threads, and the one that watches them.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity, set_current_timer_slack};

use super::engine::{
    ClientEnd, Engine, EngineContext, EngineError, Measured, RunState, Tally, ThreadUsage, now,
};
use super::machine::Machine;
use super::recorder::{MeasuredPeriod, Times, Window, times};
use super::workload::Workload;
use crate::event::{Event, Sink};
use crate::process::{PeerSocket, Server};
use crate::subject::Interrupt;
use crate::talk::Talk;

/// From the moment at which all connections are there to the first request.
const START_DELAY: Duration = Duration::from_millis(5);
/// Between two looks at the server, the interrupt and the progress.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// What is to be done, and to whom.
pub struct Load<'a> {
    /// The load.
    pub workload: &'a Workload,
    /// The conversation.
    pub talk: &'a Talk,
    /// What its templates may name besides token and payload.
    pub values: BTreeMap<String, Vec<u8>>,
    /// The server; ready.
    pub server: &'a Server,
    /// Ends it early; what was measured is kept.
    pub interrupt: &'a Interrupt,
    /// Live progress.
    pub sink: Sink<'a>,
}

/// What a load measured, all threads together, before anything is made of it.
#[derive(Debug)]
pub struct Measurement {
    /// The measured period, as it was planned.
    pub period: MeasuredPeriod,
    /// Seconds of the measured period; less than asked for if it was ended early.
    pub seconds: f64,
    /// Times by window.
    pub windows: Vec<Window>,
    /// Waiting times of requests that never got their reply.
    pub unanswered: Times,
    /// How late requests were sent, where the delay is ours.
    pub lag: Times,
    /// Counts.
    pub tally: Tally,
    /// What each engine thread used itself.
    pub threads: Vec<ThreadUsage>,
    /// Some connections: our end and the server's, if that is on this machine.
    pub ends: Vec<(ClientEnd, Option<PeerSocket>)>,
    /// What the server used in the measured period, where that can be seen.
    pub server: Option<ServerUse>,
    /// What the machine took away in the measured period.
    pub machine: Machine,
    /// How the server ended, if it did.
    pub died: Option<String>,
    /// Somebody asked for the end.
    pub interrupted: bool,
    /// Cores that are left for the server, if it is on this machine.
    pub server_cpus: usize,
}

/// What the server used in the measured period.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ServerUse {
    /// CPU time of all its processes.
    pub cpu: Duration,
    /// Threads it had near the end.
    pub threads: usize,
    /// Resident memory near the end.
    pub rss_bytes: u64,
    /// Resident memory at its worst moment so far.
    pub rss_peak_bytes: u64,
    /// Switches between its threads, wanted or not.
    pub context_switches: u64,
}

/// The cores that engine threads are pinned to, and those that are left for the server.
///
/// The last of the cores that this process may use; `None` if there is only one, or not enough.
pub fn cores(threads: usize) -> Option<(Vec<usize>, Vec<usize>)> {
    let allowed = sched_getaffinity(None).ok()?;
    let all: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|cpu| allowed.is_set(*cpu))
        .collect();
    let split = all.len().checked_sub(threads).filter(|left| *left > 0)?;
    let (server, ours) = all.split_at(split);
    Some((ours.to_vec(), server.to_vec()))
}

impl Load<'_> {
    /// Puts the load on the server and waits for its end.
    ///
    /// # Errors
    /// It could not begin: a thread has no epoll instance, or the talk cannot be said over and over.
    pub fn run(&self) -> Result<Measurement, EngineError> {
        let threads = self.workload.threads;
        let run_state = RunState::new(threads);
        let context = EngineContext::new(
            self.workload,
            self.talk,
            self.values.clone(),
            self.server.addr(),
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

    /// Waits from the first connect to the end of the measured period, and looks at the server.
    fn watch(&self, run_state: &RunState) -> Watched {
        let mut watched = Watched::default();
        while run_state.connected() < self.workload.threads
            && self.keep_running(run_state, &mut watched)
        {
            (self.sink)(self.progress(run_state, None));
            std::thread::sleep(Duration::from_millis(2));
        }
        let begin = now() + START_DELAY.as_nanos() as u64;
        run_state.begin(begin);
        let from = begin + self.workload.warmup.as_nanos() as u64;
        let to = from + self.workload.duration.as_nanos() as u64;
        watched.period = MeasuredPeriod { from, to };
        self.wait_until(from, run_state, &mut watched, begin);
        let before = (self.server_use(), Machine::read());
        self.wait_until(to, run_state, &mut watched, begin);
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
        watched
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

    /// False once the server is gone or somebody asked for the end; the threads are told then.
    fn keep_running(&self, run_state: &RunState, watched: &mut Watched) -> bool {
        watched.interrupted |= self.interrupt.is_set();
        if watched.died.is_none() && self.server.is_gone() {
            watched.died = Some(self.server.exit().map_or_else(
                || "it does not run any more".to_owned(),
                |exit| exit.to_string(),
            ));
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

    /// Some connections with the server's ends of them, looked at while they are still open.
    fn sample_ends(&self, run_state: &RunState) -> Vec<(ClientEnd, Option<PeerSocket>)> {
        while run_state.drained() < self.workload.threads && !run_state.is_stopped() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let ends = run_state.take_ends().into_iter();
        ends.map(|end| (end, self.server.peer_socket(end.local)))
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

/// What the watching thread saw.
#[derive(Debug, Default)]
struct Watched {
    period: MeasuredPeriod,
    seconds: f64,
    server: Option<ServerUse>,
    machine: Machine,
    died: Option<String>,
    interrupted: bool,
}

/// Cores that this process may use.
fn available_cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Pins the calling thread, and lets it sleep as precisely as the kernel can.
pub(crate) fn settle(core: Option<usize>) {
    // Both only make the figures steadier; the validity of a run is judged by what it measured.
    let _ = set_current_timer_slack(std::num::NonZeroU64::new(1));
    if let Some(core) = core {
        let mut cores = CpuSet::new();
        cores.set(core);
        let _ = sched_setaffinity(None, &cores);
    }
}

fn merge(
    threads: impl Iterator<Item = Measured>,
    ends: Vec<(ClientEnd, Option<PeerSocket>)>,
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
