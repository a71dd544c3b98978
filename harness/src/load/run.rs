//! One load, from the first connect to the last reply: the threads, and the one that watches them.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity, set_current_timer_slack};

use super::engine::{ClientEnd, Engine, EngineError, Measured, Orders, Own, Shared, Tally, now};
use super::machine::Machine;
use super::recorder::{Period, Times, Window, times};
use super::workload::Workload;
use crate::event::{Event, Sink};
use crate::process::{PeerSocket, Server};
use crate::subject::Interrupt;
use crate::talk::Talk;

/// From the moment at which all connections are there to the first request.
const RUN_UP: Duration = Duration::from_millis(5);
/// Between two looks at the server, the interrupt and the progress.
const LOOK: Duration = Duration::from_millis(100);

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
    pub period: Period,
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
    pub own: Vec<Own>,
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
        let shared = Shared::new(threads);
        let orders = Orders::new(
            self.workload,
            self.talk,
            self.values.clone(),
            self.server.addr(),
            &shared,
        );
        let engines: Result<Vec<Engine<'_>>, EngineError> = (0..threads)
            .map(|thread| Engine::new(&orders, thread))
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
            let watched = self.watch(&shared);
            let ends = self.both_ends(&shared);
            shared.release();
            let measured = running.into_iter().filter_map(|thread| thread.join().ok());
            let mut whole = put_together(measured, ends, watched);
            whole.server_cpus = cores.map_or_else(cpus, |(_, server)| server.len());
            whole
        }))
    }

    /// Waits from the first connect to the end of the measured period, and looks at the server.
    fn watch(&self, shared: &Shared) -> Watched {
        let mut watched = Watched::default();
        while shared.connected() < self.workload.threads && self.goes_on(shared, &mut watched) {
            (self.sink)(self.progress(shared, None));
            std::thread::sleep(Duration::from_millis(2));
        }
        let begin = now() + RUN_UP.as_nanos() as u64;
        shared.begin(begin);
        let from = begin + self.workload.warmup.as_nanos() as u64;
        let to = from + self.workload.duration.as_nanos() as u64;
        watched.period = Period { from, to };
        self.wait_until(from, shared, &mut watched, begin);
        let before = (self.use_of_server(), Machine::read());
        self.wait_until(to, shared, &mut watched, begin);
        let after = (self.use_of_server(), Machine::read(), now());
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

    fn wait_until(&self, moment: u64, shared: &Shared, watched: &mut Watched, begin: u64) {
        loop {
            let left = Duration::from_nanos(moment.saturating_sub(now()));
            if left.is_zero() || !self.goes_on(shared, watched) {
                return;
            }
            (self.sink)(self.progress(shared, Some(begin)));
            std::thread::sleep(left.min(LOOK));
        }
    }

    /// False once the server is gone or somebody asked for the end; the threads are told then.
    fn goes_on(&self, shared: &Shared, watched: &mut Watched) -> bool {
        watched.interrupted |= self.interrupt.is_set();
        if watched.died.is_none() && self.server.is_gone() {
            watched.died = Some(self.server.exit().map_or_else(
                || "it does not run any more".to_owned(),
                |exit| exit.to_string(),
            ));
        }
        let goes_on = !watched.interrupted && watched.died.is_none();
        if !goes_on {
            shared.stop();
        }
        goes_on
    }

    fn progress(&self, shared: &Shared, begin: Option<u64>) -> Event {
        let live = &shared.live;
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
    fn both_ends(&self, shared: &Shared) -> Vec<(ClientEnd, Option<PeerSocket>)> {
        while shared.drained() < self.workload.threads && !shared.is_stopped() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let ends = shared.take_ends().into_iter();
        ends.map(|end| (end, self.server.peer_socket(end.local)))
            .collect()
    }

    fn use_of_server(&self) -> Option<ServerUse> {
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
    period: Period,
    seconds: f64,
    server: Option<ServerUse>,
    machine: Machine,
    died: Option<String>,
    interrupted: bool,
}

/// Cores that this process may use.
fn cpus() -> usize {
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

fn put_together(
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
        own: Vec::new(),
        ends,
        server: watched.server,
        machine: watched.machine,
        died: watched.died,
        interrupted: watched.interrupted,
        server_cpus: 1,
    };
    for thread in threads {
        whole.tally.add(&thread.tally);
        whole.own.push(thread.own);
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
