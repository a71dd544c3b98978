//! The pacing of an open loop: when the next request is due, which connection sends it, and how long to sleep until
//! then.

use std::collections::VecDeque;
use std::time::Duration;

use super::conn::Conn;
use super::thread_usage::Reading;
use crate::load::pacer::Pacer;

/// Maximum wait for events, so that a stop is noticed in time.
const WAIT_MAX: Duration = Duration::from_millis(50);
/// Time before a due request that is spent spinning instead of sleeping.
const SPIN: Duration = Duration::from_micros(200);
/// Maximum share of the time that the thread may be runnable but not running; above it, the core counts as shared
/// and the thread does not spin.
const SHARED_CORE: f64 = 0.05;

/// The pacing of one engine thread. A closed loop has no due requests: each reply triggers the next request.
pub(super) struct Pacing {
    pacer: Option<Pacer>,
    begin: u64,
    due: Option<u64>,
    /// Connections with room for a request, longest waiting first.
    ready: VecDeque<usize>,
    /// Requests due before this time waited for a connection with room, so the server made them late.
    blocked_until: u64,
    /// Whether the thread is pinned, and whether it may spin: it is pinned and has its core to itself.
    pinned: bool,
    may_spin: bool,
    /// The thread's counters when `may_spin` was decided last.
    looked: Reading,
}

impl Pacing {
    /// No request is due before [`Self::start`].
    pub(super) fn new(pinned: bool) -> Self {
        Self {
            pacer: None,
            begin: 0,
            due: None,
            ready: VecDeque::new(),
            blocked_until: 0,
            pinned,
            may_spin: pinned,
            looked: Reading::default(),
        }
    }

    /// Starts an open loop at `begin` if there is a pacer, else a closed loop.
    pub(super) fn start(&mut self, begin: u64, pacer: Option<Pacer>) {
        self.begin = begin;
        self.pacer = pacer;
        self.advance();
    }

    /// Whether this is an open loop.
    #[inline(always)]
    pub(super) fn is_open(&self) -> bool {
        self.pacer.is_some()
    }

    /// The due time of the next request, if it is at or before `now`.
    #[inline(always)]
    pub(super) fn due_by(&self, now: u64) -> Option<u64> {
        self.due.filter(|due| *due <= now)
    }

    /// The due time of the next request, if it is before `end`.
    pub(super) fn due_before(&self, end: u64) -> Option<u64> {
        self.due.filter(|due| *due < end)
    }

    /// Moves on to the next due time.
    pub(super) fn advance(&mut self) {
        self.due = self
            .pacer
            .as_mut()
            .and_then(Pacer::next)
            .map(|at| self.begin + at);
    }

    /// Adds a connection with room to the queue for the next requests.
    #[inline(always)]
    pub(super) fn line_up(&mut self, at: usize, conn: &mut Conn, now: u64) {
        if conn.queued {
            return;
        }
        conn.queued = true;
        if self.ready.is_empty() {
            self.blocked_until = now;
        }
        self.ready.push_back(at);
    }

    /// Like [`Self::line_up`], for a connection that has just been taken from the queue, which was therefore not empty.
    pub(super) fn line_up_again(&mut self, at: usize, conn: &mut Conn) {
        if !conn.queued {
            conn.queued = true;
            self.ready.push_back(at);
        }
    }

    /// Removes the first connection from the queue.
    pub(super) fn take_turn(&mut self) -> Option<usize> {
        self.ready.pop_front()
    }

    /// Whether a connection had room when the request was due; if it is sent late, the client is at fault.
    pub(super) fn had_room_at(&self, due: u64) -> bool {
        due >= self.blocked_until
    }

    /// How long to wait for events; `None`: only poll.
    pub(super) fn wait(&self, now: u64, end: u64) -> Option<Duration> {
        let longest = WAIT_MAX.min(Duration::from_nanos(end.saturating_sub(now)));
        let Some(due) = self.due.filter(|_| !self.ready.is_empty()) else {
            return Some(longest);
        };
        let left = Duration::from_nanos(due.saturating_sub(now));
        if !self.may_spin {
            return Some(left.min(longest));
        }
        match left.checked_sub(SPIN) {
            Some(sleep) if !sleep.is_zero() => Some(sleep.min(longest)),
            _ => None,
        }
    }

    /// Decides whether the thread may spin, from how much it had to wait for its core since the last call.
    pub(super) fn check_core(&mut self) {
        if self.is_open() {
            let reading = Reading::take();
            self.may_spin =
                self.pinned && reading.since(&self.looked).starved_share() < SHARED_CORE;
            self.looked = reading;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::pacer::Segment;
    use crate::load::workload::Arrivals;

    const MS: u64 = 1_000_000;

    /// 100 requests per second, starting at 1 s.
    fn open(pinned: bool) -> Pacing {
        let second = Segment {
            seconds: 1.0,
            from: 100.0,
            to: 100.0,
        };
        let mut pacing = Pacing::new(pinned);
        let pacer = Pacer::new(vec![second], Arrivals::Constant, 0, 1, 1);
        pacing.start(1000 * MS, Some(pacer));
        pacing
    }

    #[test]
    fn requests_are_due_in_order() {
        let mut pacing = open(true);
        assert_eq!(pacing.due_by(1000 * MS), Some(1000 * MS));
        pacing.advance();
        assert_eq!(pacing.due_by(1009 * MS), None);
        assert_eq!(pacing.due_before(1011 * MS), Some(1010 * MS));
        (0..99).for_each(|_| pacing.advance());
        assert_eq!(pacing.due_by(u64::MAX), None);
    }

    #[test]
    fn a_closed_loop_waits_for_events_only() {
        let mut pacing = Pacing::new(true);
        pacing.start(1000 * MS, None);
        assert!(!pacing.is_open() && pacing.due_by(u64::MAX).is_none());
        assert_eq!(pacing.wait(0, 10 * MS), Some(Duration::from_millis(10)));
        assert_eq!(pacing.wait(0, u64::MAX), Some(WAIT_MAX));
    }

    #[test]
    fn the_last_microseconds_before_a_request_are_spun() {
        let mut pacing = open(true);
        let mut conn = Conn::new();
        pacing.line_up(0, &mut conn, 990 * MS);
        let before = 1000 * MS - 500_000;
        assert_eq!(
            pacing.wait(before, u64::MAX),
            Some(Duration::from_micros(300))
        );
        assert_eq!(pacing.wait(1000 * MS - 100_000, u64::MAX), None);
        let mut unpinned = open(false);
        unpinned.line_up(0, &mut conn, 0);
        conn.queued = false;
        unpinned.line_up(0, &mut conn, 0);
        assert_eq!(
            unpinned.wait(before, u64::MAX),
            Some(Duration::from_micros(500))
        );
    }

    #[test]
    fn a_request_without_a_connection_is_not_the_clients_delay() {
        let mut pacing = open(true);
        let mut conn = Conn::new();
        // Due at 1,000 ms, and the first connection has room at 1,050 ms.
        pacing.line_up(3, &mut conn, 1050 * MS);
        pacing.line_up(3, &mut conn, 1060 * MS);
        assert!(!pacing.had_room_at(1000 * MS) && pacing.had_room_at(1050 * MS));
        assert_eq!((pacing.take_turn(), pacing.take_turn()), (Some(3), None));
    }
}
