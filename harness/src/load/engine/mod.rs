//! The data plane: one thread drives any number of connections with level-triggered epoll.
//!
//! There is no async runtime and no allocation per operation, and the thread blocks only in `epoll_wait`. Replies are
//! read into one buffer that all connections share, and compared there. The clock is read once per read of replies
//! and once per write of requests.

mod client_end;
mod conn;
mod connect;
mod connections;
mod context;
mod courses;
mod input;
mod lockstep;
mod login;
mod opening;
mod pacing;
mod progress;
mod pushes;
mod ramp;
mod receive;
mod requests;
mod run_state;
mod secure;
mod send;
mod sources;
mod tally;
mod thread_usage;

use std::mem::MaybeUninit;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::event::Timespec;
use rustix::event::epoll::{Event, EventFlags};
use rustix::time::{ClockId, clock_gettime};

pub(crate) use self::client_end::ClientEnd;
use self::conn::State;
use self::connections::Connections;
use self::context::pacer;
pub(crate) use self::context::{EngineContext, EngineError, Measured};
use self::input::Input;
pub(crate) use self::lockstep::Lockstep;
use self::login::Logins;
use self::pacing::Pacing;
use self::progress::Progress;
use self::requests::Requests;
pub(crate) use self::run_state::RunState;
#[cfg(feature = "cli")]
pub(crate) use self::sources::sources;
pub(crate) use self::tally::Tally;
use self::thread_usage::Reading;
pub(crate) use self::thread_usage::ThreadUsage;
use super::recorder::{MeasuredPeriod, Recorder};

/// Maximum number of events per `epoll_wait`.
const EVENTS: usize = 256;
/// Maximum time to open all connections.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// Maximum wait for outstanding replies after the measured period.
const DRAIN: Duration = Duration::from_secs(2);
/// Maximum number of connections per thread whose TCP state is sampled.
const ENDS_SAMPLED: usize = 32;

/// One engine thread.
pub(crate) struct Engine<'a> {
    context: &'a EngineContext<'a>,
    thread: usize,
    connections: Connections,
    requests: Requests,
    logins: Logins,
    pacing: Pacing,
    progress: Progress,
    recorder: Recorder,
    tally: Tally,
    input: Input,
    /// Buffer for requests that are sent in one write.
    batch: Vec<u8>,
    /// Buffer for encrypted requests.
    sealed: Vec<u8>,
    /// The last reading of the clock, in nanoseconds.
    now: u64,
    /// Whether requests are sent: from the start of the warm-up to the end of the measured period.
    issuing: bool,
}

/// Nanoseconds of the monotonic clock.
#[inline(always)]
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn timespec(nanos: u64) -> Timespec {
    Timespec {
        tv_sec: (nanos / 1_000_000_000) as i64,
        tv_nsec: (nanos % 1_000_000_000) as i64,
    }
}

impl<'a> Engine<'a> {
    /// The engine of thread `thread`.
    ///
    /// # Errors
    /// The epoll instance could not be created, or the talk cannot be compiled.
    pub(crate) fn new(context: &'a EngineContext<'a>, thread: usize) -> Result<Self, EngineError> {
        let requests = Requests::new(context, thread)?;
        Ok(Self {
            context,
            thread,
            connections: Connections::new(context, thread, requests.reopens())?,
            requests,
            logins: Logins::default(),
            pacing: Pacing::new(context.workload.pin),
            progress: Progress::default(),
            recorder: Recorder::new(MeasuredPeriod::default(), 1),
            tally: Tally::default(),
            input: Input::new(),
            batch: Vec::new(),
            sealed: Vec::new(),
            now: now(),
            issuing: false,
        })
    }

    /// Connects, warms up, measures, and waits for outstanding replies.
    pub(crate) fn run(mut self) -> Measured {
        let run_state = self.context.run_state;
        self.connections.want_first();
        let logins = login::patience(self.context.talk, self.connections.len());
        self.connect_all(CONNECT_PATIENCE + logins);
        run_state.connected.fetch_add(1, Ordering::AcqRel);
        while run_state.begin.load(Ordering::Acquire) == 0 && !run_state.is_stopped() {
            self.pump(Some(Duration::from_millis(1)));
        }
        while now() < run_state.begin.load(Ordering::Acquire) && !run_state.is_stopped() {
            self.pump(Some(Duration::from_millis(1)));
        }
        let period = self.prepare(run_state.begin.load(Ordering::Acquire));
        self.run_until(period.from);
        let usage = self.measure(period);
        if let Ok(mut ends) = run_state.ends.lock() {
            ends.extend(self.connections.ends(ENDS_SAMPLED));
        }
        self.drain(period);
        run_state.drained.fetch_add(1, Ordering::AcqRel);
        while !run_state.release.load(Ordering::Acquire) && !run_state.is_stopped() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let (windows, unanswered, lag) = self.recorder.into_windows();
        Measured {
            windows,
            unanswered,
            lag,
            tally: self.tally,
            usage,
        }
    }

    /// Runs through the measured period, or until the load is stopped.
    fn measure(&mut self, period: MeasuredPeriod) -> ThreadUsage {
        if self.context.run_state.is_stopped() {
            // Stopped before the measured period: nothing was used in it.
            return ThreadUsage::default();
        }
        let (before, bytes) = (Reading::take(), self.progress.bytes());
        self.run_until(period.to);
        let now = self.progress.bytes();
        self.tally.bytes = (now.0 - bytes.0, now.1 - bytes.1);
        Reading::take().since(&before)
    }

    /// Starts the load at `begin`: a closed loop sends its first requests, an open loop starts its schedule.
    fn prepare(&mut self, begin: u64) -> MeasuredPeriod {
        let workload = self.context.workload;
        let from = begin + workload.warmup.as_nanos() as u64;
        let period = MeasuredPeriod {
            from,
            to: from + workload.duration.as_nanos() as u64,
        };
        self.recorder = Recorder::new(period, workload.windows());
        self.issuing = true;
        self.now = now();
        self.pacing.start(begin, pacer(workload, self.thread));
        for at in 0..self.connections.len() {
            self.connections[at].free_since = self.now;
            self.use_room(at);
        }
        period
    }

    /// Runs the load until `end`, or until it is stopped.
    fn run_until(&mut self, end: u64) {
        while self.now < end && !self.context.run_state.is_stopped() {
            if self.progress.is_due(self.now) {
                self.publish_progress();
            }
            self.open_more();
            self.issue_due();
            self.pump(self.pacing.wait(self.now, end));
        }
        self.publish_progress();
    }

    /// Waits for outstanding replies. Requests without a reply are recorded with their waiting time.
    fn drain(&mut self, period: MeasuredPeriod) {
        self.issue_due();
        // Requests that were due but found no connection with room were never sent. A stopped load ends now.
        let end = period.to.min(self.now);
        while let Some(due) = self.pacing.due_before(end) {
            self.tally.unsent += u64::from(period.has(due));
            self.recorder.lost(due, self.now);
            self.pacing.advance();
        }
        self.issuing = false;
        let give_up = self.now + DRAIN.as_nanos() as u64;
        while self.progress.is_waiting()
            && self.now < give_up
            && !self.context.run_state.is_stopped()
        {
            self.pump(Some(Duration::from_millis(5)));
        }
        for at in 0..self.connections.len() {
            self.give_up_requests(at);
        }
    }

    /// Waits for events for at most `wait` and handles them.
    #[inline(always)]
    fn pump(&mut self, wait: Option<Duration>) {
        let wait = self.until_login(wait);
        let timeout = timespec(wait.map_or(0, |wait| wait.as_nanos() as u64));
        let mut events = [const { MaybeUninit::<Event>::uninit() }; EVENTS];
        let taken = match self.connections.wait(&mut events, &timeout) {
            Ok(taken) => taken,
            Err(_) => return self.now = now(),
        };
        if taken.is_empty() || self.pacing.is_open() {
            self.now = now();
        }
        if !self.logins.is_idle() {
            self.continue_logins();
        }
        for event in taken {
            if let Some(at) = self.connections.place_of(event) {
                self.event(at, event.flags);
            }
            if self.pacing.due_by(self.now).is_some() {
                self.issue_due();
            }
        }
    }

    #[inline(always)]
    fn event(&mut self, at: usize, flags: EventFlags) {
        if self.connections[at].state == State::Connecting {
            return self.connected(at);
        }
        if flags.contains(EventFlags::OUT) {
            self.flush(at);
        }
        if flags.intersects(EventFlags::IN | EventFlags::ERR | EventFlags::HUP) {
            self.receive(at);
        }
    }

    /// Publishes live progress, and checks whether the thread may spin on its core.
    fn publish_progress(&mut self) {
        self.progress.publish(
            &self.context.run_state.live,
            self.thread,
            self.connections.open(),
            self.tally.trouble_count(),
            self.now,
        );
        self.pacing.check_core();
    }
}
