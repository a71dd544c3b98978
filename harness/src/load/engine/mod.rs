//! The data plane: one thread, level-triggered epoll, as many connections as are asked for.
//!
//! No runtime, no allocation per operation, no wait but the one for events. A reply is read into one
//! buffer that all connections share and compared there; a request is written from one buffer. The
//! clock is read when a reply has been read and when a request has been written, no more.

mod conn;
mod connect;
mod lockstep;
mod opening;
mod orders;
mod own;
mod receive;
mod send;
mod shared;
mod tally;

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::time::{ClockId, clock_gettime};

use self::conn::{Conn, State};
pub use self::lockstep::Lockstep;
pub use self::orders::{ClientEnd, EngineError, Measured, Orders};
use self::orders::{pacer, share};
pub use self::own::Own;
pub use self::shared::{Live, Shared};
pub use self::tally::Tally;
use super::pacer::Pacer;
use super::recorder::{Period, Recorder};
use super::script::Script;

/// One read takes at most so many bytes.
const INPUT_BYTES: usize = 64 * 1024;
/// Events taken from the kernel at once.
const EVENTS: usize = 256;
/// Longest wait for events: how late a stop is seen.
const WAIT_MAX: Duration = Duration::from_millis(50);
/// A sleep ends so much before a request is due; the rest is spent looking at the clock.
const SPIN: Duration = Duration::from_micros(200);
/// Longest time that all connections may take to be opened.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How long replies are waited for after the measured period.
const DRAIN: Duration = Duration::from_secs(2);
/// Connections whose two ends are looked at.
const ENDS_SAMPLED: usize = 32;
/// How often live progress is told, and whether there is a core to spin on is looked at.
const TELL: Duration = Duration::from_millis(100);
/// A core is shared if the thread was ready but not running for more than this share of the time.
const SHARED_CORE: f64 = 0.05;

/// What was read last. In whole pages, as requests are, and for the same reason.
#[repr(C, align(4096))]
struct Input([u8; INPUT_BYTES]);

/// One engine thread.
pub(crate) struct Engine<'a> {
    orders: &'a Orders<'a>,
    thread: usize,
    epoll: OwnedFd,
    conns: Vec<Conn>,
    script: Script,
    /// Every reply is known byte for byte.
    exact: bool,
    recorder: Recorder,
    tally: Tally,
    /// Taken out while what it holds is looked at.
    input: Option<Box<Input>>,
    /// Requests that go out together.
    batch: Vec<u8>,
    /// Buffers that partial messages have left.
    spare: Vec<Vec<u8>>,
    depth: usize,
    /// Requests on one connection before it is closed.
    churn: Option<u32>,
    /// The moment of the last look at the clock.
    now: u64,
    issuing: bool,
    /// Number of the next token, and the line it is for.
    number: u64,
    line: usize,
    in_flight: usize,
    /// Replies so far.
    ops: u64,
    bytes: (u64, u64),
    // Connections.
    sources: usize,
    opened: usize,
    connecting: usize,
    connecting_max: usize,
    /// Connections that are open, and those of them that are past their opening.
    open_count: usize,
    serving: usize,
    /// Connections that have been wanted so far.
    ramped: usize,
    to_open: VecDeque<usize>,
    retries: VecDeque<(u64, usize)>,
    // Open loop.
    pacer: Option<Pacer>,
    begin: u64,
    due: Option<u64>,
    /// Connections with room for a request, in turn.
    ready: VecDeque<usize>,
    /// Requests that were due before this moment waited for the server, not for us.
    blocked_until: u64,
    may_spin: bool,
    /// What the thread had used when that was settled last.
    looked: Own,
    /// What live progress was told last, replies and troubles, and when.
    told: (u64, u64),
    told_at: u64,
    /// Connections at the begin of a ramp.
    first: usize,
}

/// Nanoseconds of the monotonic clock.
#[inline(always)]
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn event_data(at: usize, generation: u32) -> EventData {
    EventData::new_u64(at as u64 | u64::from(generation) << 32)
}

fn timespec(nanos: u64) -> Timespec {
    Timespec {
        tv_sec: (nanos / 1_000_000_000) as i64,
        tv_nsec: (nanos % 1_000_000_000) as i64,
    }
}

impl<'a> Engine<'a> {
    /// Thread `thread` of the load.
    ///
    /// # Errors
    /// The kernel gave no epoll instance, or the talk cannot be said over and over.
    pub(crate) fn new(orders: &'a Orders<'a>, thread: usize) -> Result<Self, EngineError> {
        let workload = orders.workload;
        let connections = share(workload.connections, thread, workload.threads);
        let one_each = !orders.talk.carries_many_turns();
        let churn = if one_each { Some(1) } else { workload.churn };
        let reopens = churn.is_some();
        let first = share(
            workload
                .ramp_connections_from
                .unwrap_or(workload.connections),
            thread,
            workload.threads,
        );
        let script = match orders.script(&orders.values) {
            // What is missing may be captured by the opening, on each connection.
            Err(_) if !orders.talk.open.is_empty() => Script::empty(workload),
            compiled => compiled?,
        };
        Ok(Self {
            orders,
            thread,
            epoll: epoll::create(CreateFlags::CLOEXEC).map_err(std::io::Error::from)?,
            conns: (0..connections).map(|_| Conn::new()).collect(),
            exact: script.is_exact() && orders.talk.carries_many_turns(),
            script,
            recorder: Recorder::new(Period::default(), 1),
            tally: Tally::default(),
            input: Some(Box::new(Input([0; INPUT_BYTES]))),
            batch: Vec::new(),
            spare: Vec::new(),
            depth: if one_each {
                1
            } else {
                workload.pipeline.max(1)
            },
            churn,
            now: now(),
            issuing: false,
            number: crate::talk::token::first_of(thread as u32 + 1),
            line: 0,
            in_flight: 0,
            ops: 0,
            bytes: (0, 0),
            sources: connect::sources(orders.addr, workload.connections, reopens),
            opened: thread,
            connecting: 0,
            connecting_max: connect::CONNECTING_MAX,
            open_count: 0,
            serving: 0,
            ramped: first,
            to_open: VecDeque::new(),
            retries: VecDeque::new(),
            pacer: None,
            begin: 0,
            due: None,
            ready: VecDeque::new(),
            blocked_until: 0,
            may_spin: workload.pin,
            looked: Own::default(),
            told: (0, 0),
            told_at: 0,
            first,
        })
    }

    /// Does all of it: connects, warms up, measures, waits for the last replies.
    pub(crate) fn run(mut self) -> Measured {
        let shared = self.orders.shared;
        self.to_open = (0..self.ramped).collect();
        self.connect_all(CONNECT_PATIENCE);
        shared.connected.fetch_add(1, Ordering::AcqRel);
        while shared.begin.load(Ordering::Acquire) == 0 && !shared.is_stopped() {
            self.pump(Some(Duration::from_millis(1)));
        }
        while now() < shared.begin.load(Ordering::Acquire) && !shared.is_stopped() {
            self.pump(Some(Duration::from_millis(1)));
        }
        let period = self.prepare(shared.begin.load(Ordering::Acquire));
        self.go_on_until(period.from);
        let (before, bytes) = (Own::read(), self.bytes);
        self.go_on_until(period.to);
        let own = Own::read().since(&before);
        self.tally.bytes = (self.bytes.0 - bytes.0, self.bytes.1 - bytes.1);
        if let Ok(mut ends) = shared.ends.lock() {
            ends.extend(self.look_at_ends(ENDS_SAMPLED));
        }
        self.drain(period);
        shared.drained.fetch_add(1, Ordering::AcqRel);
        while !shared.release.load(Ordering::Acquire) && !shared.is_stopped() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let (windows, unanswered, lag) = self.recorder.into_windows();
        Measured {
            windows,
            unanswered,
            lag,
            tally: self.tally,
            own,
        }
    }

    /// The load begins at `begin`: says the first requests, or makes them due.
    fn prepare(&mut self, begin: u64) -> Period {
        let workload = self.orders.workload;
        let from = begin + workload.warmup.as_nanos() as u64;
        let period = Period {
            from,
            to: from + workload.duration.as_nanos() as u64,
        };
        self.recorder = Recorder::new(period, workload.windows());
        self.begin = begin;
        self.issuing = true;
        self.now = now();
        self.pacer = pacer(workload, self.thread);
        self.due = self.next_due();
        for at in 0..self.conns.len() {
            self.conns[at].free_since = self.now;
            self.make_use_of(at);
        }
        period
    }

    fn next_due(&mut self) -> Option<u64> {
        let at = self.pacer.as_mut()?.next()?;
        Some(self.begin + at)
    }

    /// The load goes on until `end`, or until somebody stops it.
    fn go_on_until(&mut self, end: u64) {
        while self.now < end && !self.orders.shared.is_stopped() {
            if self.now >= self.told_at + TELL.as_nanos() as u64 {
                self.tell();
            }
            self.open_more();
            self.issue_due();
            let wait = self.wait(end);
            self.pump(wait);
        }
        self.tell();
    }

    /// Waits for the replies that are still to come; what does not come counts as having waited so long.
    fn drain(&mut self, period: Period) {
        self.issue_due();
        // What was due and found no room never left. A load that was ended early ends now.
        let end = period.to.min(self.now);
        while let Some(due) = self.due.filter(|due| *due < end) {
            self.tally.unsent += u64::from(period.has(due));
            self.recorder.lost(due, self.now);
            self.due = self.next_due();
        }
        self.issuing = false;
        let give_up = self.now + DRAIN.as_nanos() as u64;
        while self.in_flight > 0 && self.now < give_up && !self.orders.shared.is_stopped() {
            self.pump(Some(Duration::from_millis(5)));
        }
        for at in 0..self.conns.len() {
            while let Some(flight) = self.conns[at].flights.pop_front() {
                self.recorder.lost(flight.intended, self.now);
            }
        }
    }

    /// How long events may be waited for; `None`: not at all.
    fn wait(&self, end: u64) -> Option<Duration> {
        let longest = WAIT_MAX.min(Duration::from_nanos(end.saturating_sub(self.now)));
        let Some(due) = self.due.filter(|_| !self.ready.is_empty()) else {
            return Some(longest);
        };
        let left = Duration::from_nanos(due.saturating_sub(self.now));
        if !self.may_spin {
            return Some(left.min(longest));
        }
        match left.checked_sub(SPIN) {
            Some(sleep) if !sleep.is_zero() => Some(sleep.min(longest)),
            _ => None,
        }
    }

    /// Takes the events that are there, after waiting for them at most so long.
    #[inline(always)]
    fn pump(&mut self, wait: Option<Duration>) {
        let timeout = timespec(wait.map_or(0, |wait| wait.as_nanos() as u64));
        let mut events = [const { MaybeUninit::<Event>::uninit() }; EVENTS];
        let taken = match epoll::wait(&self.epoll, &mut events, Some(&timeout)) {
            Ok((taken, _)) => taken,
            Err(_) => return self.now = now(),
        };
        if taken.is_empty() || self.pacer.is_some() {
            self.now = now();
        }
        for event in taken {
            let data = event.data.u64();
            let at = (data & u64::from(u32::MAX)) as usize;
            if self.conns[at].generation == (data >> 32) as u32 {
                self.event(at, event.flags);
            }
            if self.due.is_some_and(|due| due <= self.now) {
                self.issue_due();
            }
        }
    }

    #[inline(always)]
    fn event(&mut self, at: usize, flags: EventFlags) {
        if self.conns[at].state == State::Connecting {
            return self.connected(at);
        }
        if flags.contains(EventFlags::OUT) {
            self.flush(at);
        }
        if flags.intersects(EventFlags::IN | EventFlags::ERR | EventFlags::HUP) {
            self.receive(at);
        }
    }

    /// Opens connections that are missing, and those that a ramp wants by now.
    fn open_more(&mut self) {
        if self.ramped < self.conns.len() {
            let wanted = self.wanted();
            self.to_open.extend(self.ramped..wanted);
            for conn in &mut self.conns[self.ramped..wanted] {
                conn.free_since = self.now;
            }
            self.ramped = wanted;
        }
        if !self.to_open.is_empty() || !self.retries.is_empty() {
            self.open_wanted();
        }
    }

    /// How many connections a ramp wants by now.
    fn wanted(&self) -> usize {
        let period = self.recorder.period();
        let passed = self.now.saturating_sub(period.from) as f64;
        let part = passed / (period.to - period.from).max(1) as f64;
        let grown = self.first + ((self.conns.len() - self.first) as f64 * part) as usize;
        grown.clamp(self.ramped, self.conns.len())
    }

    /// For live progress; and a look at whether there is a core to spin on.
    fn tell(&mut self) {
        let live = &self.orders.shared.live;
        let add = |counter: &std::sync::atomic::AtomicU64, now: u64, told: &mut u64| {
            counter.fetch_add(now - *told, Ordering::Relaxed);
            *told = now;
        };
        add(&live.ops, self.ops, &mut self.told.0);
        add(&live.troubles, self.tally.trouble_count(), &mut self.told.1);
        live.open[self.thread].store(self.open_count, Ordering::Relaxed);
        self.told_at = self.now;
        if self.pacer.is_some() {
            let own = Own::read();
            self.may_spin =
                self.orders.workload.pin && own.since(&self.looked).starved_share() < SHARED_CORE;
            self.looked = own;
        }
    }
}
