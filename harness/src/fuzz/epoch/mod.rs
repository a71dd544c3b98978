//! One epoch: one life of the server in a campaign. Runs cases on it and watches its processes and stderr.

mod client;
mod in_time;
mod interference;
mod reached;

use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use client::{canary, dial, wire};
use in_time::{in_time, late, server};
use interference::Interference;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

use crate::fuzz::Case;
use crate::fuzz::coverage::{Coverage, Pace, Sights};
use crate::fuzz::stderr::{StderrReport, StderrScan};
use crate::fuzz::target::FuzzTarget;
use crate::fuzz::wire::{Limits, Observed, Wire};
use crate::process::{
    CallSet, CrashWatch, Exit, Glance, Server, StartFailure, StartOptions, Vital, Vitals,
};
use crate::session::{PeerError, Session, Voice};
use crate::talk::{Exchange, Turn};

/// Maximum wait for the exit status of a process that has ended.
const EXIT_STATUS: Duration = Duration::from_secs(2);

/// A process that still exists this long after the first client is a worker.
const WORKERS_STAY: Duration = Duration::from_millis(50);

/// How long a process that has ended may remain a zombie.
const REAPED: Duration = Duration::from_millis(20);

/// How long to wait for the rest of a report on stderr, at most and without more of it.
const REST_OF_REPORT: Duration = Duration::from_millis(20);
/// How long to wait for the line that names the error of a traceback, which comes last.
const REST_OF_TRACEBACK: Duration = Duration::from_millis(500);
const NEXT_OF_REPORT: Duration = Duration::from_millis(2);

/// Maximum wait for a server that computes what a case has asked for.
const REST_MAX: Duration = Duration::from_millis(200);

/// Interval between two checks of a condition that is waited for.
const POLL: Duration = Duration::from_micros(200);

/// Salt of the tokens that canaries send.
const VOICE_SALT: u64 = 0xf022;

/// A running server that cases are sent to.
///
/// A *canary* is a well-behaved client on a connection of its own: it holds the plain conversation and shows
/// whether the server still serves.
pub(crate) struct Epoch<'a> {
    pub target: &'a FuzzTarget,
    runtime: &'a Runtime,
    server: Rc<Server>,
    wire: Wire,
    voice: Voice,
    vitals: Vitals,
    /// The processes before the first case.
    pub baseline: Vital,
    last: Glance,
    /// Ends of forked children, if the kernel tells them.
    crashes: Option<CrashWatch>,
    scan: StderrScan,
    /// Reports that the server has survived, by their cause.
    survived: BTreeSet<String>,
    /// The last case was refused as the fault of the client.
    refused: bool,
    worst_canary: Duration,
    /// Number of canaries held.
    pub canaries: u64,
    /// What the sources of coverage see of this server.
    sights: Option<Arc<Sights>>,
    /// Their mark when they were asked last.
    marked: usize,
    interference: Interference,
}

/// What one case caused.
#[derive(Clone, Debug)]
pub(crate) struct CaseRun {
    /// What the client observed.
    pub observed: Observed,
    /// CPU time that the server spent on the case.
    pub cpu: Duration,
    /// The processes after the case.
    pub vital: Glance,
}

impl<'a> Epoch<'a> {
    /// Starts a server, or connects to the one that already runs, and holds a first canary.
    ///
    /// # Errors
    /// The server does not start.
    pub(crate) fn start(
        target: &'a FuzzTarget,
        runtime: &'a Runtime,
    ) -> Result<Self, StartFailure> {
        Self::begin(target, runtime, None)
    }

    /// [`Epoch::start`] with a look at what the server executes.
    ///
    /// # Errors
    /// The server does not start.
    pub(crate) fn begin(
        target: &'a FuzzTarget,
        runtime: &'a Runtime,
        coverage: Option<&Coverage>,
    ) -> Result<Self, StartFailure> {
        let sights = coverage.map(Coverage::begin).transpose();
        let sights = sights.map_err(|error| StartFailure::harness("see coverage", error))?;
        let mut options = StartOptions {
            inject: target.inject.then_some(CallSet::All),
            ..StartOptions::default()
        };
        if let Some(sights) = &sights {
            sights.prepare(&mut options);
        }
        let start = server(target, options);
        let server = Rc::new(LocalSet::new().block_on(runtime, start)?);
        let voice = target.subject.voice(&server, VOICE_SALT);
        let wire = wire(target, &server, &voice, target.limits)
            .seen_by(sights.as_ref())
            .injecting_into(target.inject.then(|| server.clone()));
        let mut epoch = Self {
            target,
            runtime,
            voice,
            vitals: Vitals::of(server.pids()),
            baseline: Vital::default(),
            last: Glance::default(),
            crashes: CrashWatch::begin(&server),
            scan: StderrScan::default(),
            survived: BTreeSet::new(),
            refused: false,
            worst_canary: target.pace.exchange,
            canaries: 0,
            server,
            wire,
            sights,
            marked: 0,
            interference: Interference::default(),
        };
        if let Some(coverage) = coverage {
            epoch.arm_again(&[]);
            coverage.at_start(&epoch.reached(Pace::Now));
        }
        // The first client triggers lazy initialization. If it fails, a later canary will show it.
        let at_first = epoch.server.pids();
        let _ = epoch.canary(target.silence);
        epoch.observe_calls();
        epoch.take_baseline(&at_first);
        if let Some(coverage) = coverage {
            coverage.ordinary(&epoch.reached(Pace::Now));
        }
        Ok(epoch)
    }

    /// Another runner of cases on the same server, with its own time limits.
    pub(crate) fn other_wire(&self, limits: Limits) -> Wire {
        wire(self.target, &self.server, &self.voice, limits)
    }

    /// Starts a second server of the same target.
    pub(crate) fn another(&self) -> Option<Self> {
        Self::start(self.target, self.runtime).ok()
    }

    /// Records the processes, descriptors and threads of a healthy server. Processes that started after the
    /// server was ready are workers if they stay; those that served one client and ended are not watched.
    fn take_baseline(&mut self, at_first: &[u32]) {
        let mut pids = self.server.pids();
        if pids.iter().any(|pid| !at_first.contains(pid)) {
            std::thread::sleep(WORKERS_STAY);
            let still = self.server.pids();
            pids.retain(|pid| still.contains(pid));
        }
        self.vitals = Vitals::of(pids);
        self.baseline = self.vitals.look();
        self.last = self.vitals.glance();
    }

    /// The runtime of its clients.
    pub(crate) fn runtime(&self) -> &'a Runtime {
        self.runtime
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Descriptors, threads, memory and CPU time now.
    pub(crate) fn vitals(&self) -> Vital {
        self.vitals.look()
    }

    /// Waits until no thread of the server computes or waits for a core. Returns whether it has come to that in time.
    pub(crate) fn comes_to_rest(&self) -> bool {
        let begun = Instant::now();
        while self.server.is_computing() {
            if begun.elapsed() >= REST_MAX {
                return false;
            }
            std::thread::sleep(POLL);
        }
        true
    }

    /// Runs one case.
    ///
    /// # Errors
    /// Descriptors, ports or memory of tcprove run out.
    pub(crate) fn run(&mut self, case: &Case) -> io::Result<CaseRun> {
        if self.target.deadline.is_over() {
            return Err(late());
        }
        self.take_injected();
        if case.injects() {
            self.beside();
        }
        let observed = self.wire.run(case)?;
        self.note_injected();
        Ok(self.after(observed))
    }

    /// Runs one case and holds a canary while its connections are still open.
    ///
    /// # Errors
    /// As [`Epoch::run`].
    pub(crate) fn run_beside_canary(
        &mut self,
        case: &Case,
        limit: Duration,
    ) -> io::Result<(CaseRun, Result<Duration, PeerError>)> {
        self.take_injected();
        let (server, voice, runtime) = (self.server.clone(), self.voice.clone(), self.runtime);
        let deadline = &self.target.deadline;
        let mut served = Ok(Duration::ZERO);
        let observed = self.wire.run_and(case, &mut || {
            served = canary(runtime, &server, &voice, limit, deadline)
        })?;
        self.canaries += 1;
        Ok((self.after(observed), served))
    }

    /// The median duration of several canaries while the connections of the case are open. A canary that is
    /// not served counts with the limit.
    pub(crate) fn median_beside(&mut self, case: &Case, canaries: usize) -> Option<Duration> {
        let (server, voice, runtime) = (self.server.clone(), self.voice.clone(), self.runtime);
        let (limit, deadline) = (self.target.silence, &self.target.deadline);
        let mut times = Vec::with_capacity(canaries);
        let mut hold = || {
            // Once more than half of them have reached the limit, the median is known.
            if times.iter().filter(|took| **took >= limit).count() <= canaries / 2 {
                times.push(canary(runtime, &server, &voice, limit, deadline).unwrap_or(limit));
            }
        };
        let meanwhile = &mut || (0..canaries).for_each(|_| hold());
        self.wire.run_and(case, meanwhile).ok()?;
        if deadline.is_over() {
            return None;
        }
        self.refresh();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }

    fn after(&mut self, observed: Observed) -> CaseRun {
        let vital = self.vitals.glance();
        let cpu = vital.cpu.saturating_sub(self.last.cpu);
        self.last = vital;
        self.refused = observed.is_refused();
        CaseRun {
            observed,
            cpu,
            vital,
        }
    }

    /// Holds a canary and returns its duration.
    ///
    /// # Errors
    /// The server did not serve it as the talk requires within `limit`.
    pub(crate) fn canary(&mut self, limit: Duration) -> Result<Duration, PeerError> {
        self.canaries += 1;
        let deadline = &self.target.deadline;
        let took = canary(self.runtime, &self.server, &self.voice, limit, deadline)?;
        self.worst_canary = self.worst_canary.max(took);
        Ok(took)
    }

    /// The duration of the slowest successful canary so far.
    pub(crate) fn worst_canary(&self) -> Duration {
        self.worst_canary
    }

    /// Checks now which processes are left; [`Epoch::ended`] reports it.
    pub(crate) fn refresh(&mut self) {
        self.last = self.vitals.glance();
    }

    /// The watched process that had ended at the last check.
    pub(crate) fn ended(&self) -> Option<u32> {
        self.last.ended
    }

    /// Whether a watched process had ended at the last check, or the server that ran already is gone.
    pub(crate) fn has_ended(&self) -> bool {
        self.last.ended.is_some() || self.server.is_attached() && self.server.is_gone()
    }

    /// Whether a watched process has ended by now.
    pub(crate) fn process_ended(&self) -> bool {
        self.vitals.ended().is_some()
    }

    /// Number of watched processes.
    pub(crate) fn processes(&self) -> usize {
        self.vitals.processes()
    }

    /// How the main process ended.
    pub(crate) fn exit(&self) -> Option<Exit> {
        LocalSet::new().block_on(self.runtime, self.server.wait_exit(EXIT_STATUS))
    }

    /// How a watched process other than the main one has ended, as far as the kernel tells that.
    pub(crate) fn worker_exit(&self, pid: u32) -> Option<Exit> {
        // Its parent needs a moment to reap it.
        self.until(REAPED, |epoch| epoch.vitals.exit_of(pid).is_some());
        self.vitals.exit_of(pid)
    }

    /// A child of the server that was killed by a bug since the last call, and was not watched: one that served a single
    /// client.
    pub(crate) fn crashed_child(&self) -> Option<Exit> {
        let crashes = self.crashes.as_ref()?.crashes(&self.server);
        let mut exits = crashes.into_iter().map(|crash| crash.exit);
        exits.find(|exit| exit.is_fault())
    }

    /// Whether the kernel tells the ends of children that are not watched.
    pub(crate) fn sees_children(&self) -> bool {
        self.crashes.is_some()
    }

    /// Watches the processes that there are now: a worker that has ended on purpose was replaced.
    pub(crate) fn rewatch(&mut self) {
        self.take_baseline(&[]);
    }

    /// Polls until `condition` holds, for at most `limit`; returns whether it holds.
    pub(crate) fn until(&self, limit: Duration, condition: impl Fn(&Self) -> bool) -> bool {
        let deadline = Instant::now() + self.target.deadline.left(limit);
        loop {
            if condition(self) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(POLL);
        }
    }

    /// A report that the server has written to stderr since the last call.
    pub(crate) fn take_report(&mut self) -> Option<StderrReport> {
        if self.server.printed().stderr == self.scan.read() {
            return None;
        }
        self.scan_stderr();
        if self.scan.is_reporting() {
            let begun = Instant::now();
            let mut read = None;
            loop {
                let (is_more, limit) = match self.scan.is_inside_traceback() {
                    true => (true, REST_OF_TRACEBACK),
                    false => (read != Some(self.scan.read()), REST_OF_REPORT),
                };
                if !is_more || begun.elapsed() >= limit {
                    break;
                }
                read = Some(self.scan.read());
                std::thread::sleep(NEXT_OF_REPORT);
                self.scan_stderr();
            }
        }
        let report = self.scan.take()?;
        // A server may log the reason why it refuses a request, as long as it refuses it.
        let is_own = !self.refused || !report.is_traceback();
        (is_own && !self.interference.is_near).then_some(report)
    }

    /// Whether the server has already survived a report of this cause.
    pub(crate) fn has_survived(&self, cause: &str) -> bool {
        self.survived.contains(cause)
    }

    /// Notes that the server has survived a report of this cause.
    pub(crate) fn survives(&mut self, cause: &str) {
        self.survived.insert(cause.to_owned());
    }

    fn scan_stderr(&mut self) {
        let (fresh, total) = self.server.stderr_since(self.scan.read());
        self.scan.push(&fresh, total);
    }

    /// Sends one request on a connection of its own and returns it with its reply, which is not judged.
    ///
    /// # Errors
    /// No complete reply came.
    pub(crate) fn ask(
        &self,
        exchange: &Exchange,
        payload: &[u8],
    ) -> Result<(Turn, Vec<u8>), PeerError> {
        let dial = dial(&self.server, &self.voice, self.target.silence);
        LocalSet::new().block_on(self.runtime, async {
            let asked = async {
                let mut session = Session::connect(dial).await?;
                session.opening_for(exchange).await?;
                let turn = session.voice().render(exchange, payload)?;
                session.send(&turn.request).await?;
                let reply = match turn.expect.has_reply() {
                    true => session.any_reply(&turn).await?,
                    false => session.expect(&turn).await?.bytes,
                };
                session.close();
                Ok((turn, reply))
            };
            in_time(&self.target.deadline, asked).await
        })
    }

    /// Renders requests for this server.
    pub(crate) fn voice(&self) -> &Voice {
        &self.voice
    }
}
