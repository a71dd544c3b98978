//! How far an engine thread has come: requests in flight, replies, bytes, and what live progress shows of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::shared::Live;

/// Interval of live progress.
const TELL: Duration = Duration::from_millis(100);

/// Counts that every operation changes.
#[derive(Debug, Default)]
pub(super) struct Progress {
    in_flight: usize,
    replies: u64,
    /// Bytes sent and received.
    bytes: (u64, u64),
    /// Replies and troubles that live progress has been told, and when.
    told: (u64, u64),
    told_at: u64,
}

impl Progress {
    /// `requests` were said.
    #[inline(always)]
    pub(super) fn asked(&mut self, requests: usize) {
        self.in_flight += requests;
    }

    /// `replies` came.
    #[inline(always)]
    pub(super) fn answered(&mut self, replies: usize) {
        self.in_flight -= replies;
        self.replies += replies as u64;
    }

    /// A request gets no reply any more.
    pub(super) fn gave_up(&mut self) {
        self.in_flight -= 1;
    }

    /// The kernel took so many bytes.
    #[inline(always)]
    pub(super) fn sent(&mut self, bytes: usize) {
        self.bytes.0 += bytes as u64;
    }

    /// The kernel gave so many bytes.
    #[inline(always)]
    pub(super) fn received(&mut self, bytes: usize) {
        self.bytes.1 += bytes as u64;
    }

    /// Whether any request waits for its reply.
    pub(super) fn is_waiting(&self) -> bool {
        self.in_flight > 0
    }

    /// Bytes sent and received so far.
    pub(super) fn bytes(&self) -> (u64, u64) {
        self.bytes
    }

    /// Whether live progress is to be told again.
    pub(super) fn is_news(&self, now: u64) -> bool {
        now >= self.told_at + TELL.as_nanos() as u64
    }

    /// Tells live progress what has happened since the last time.
    pub(super) fn tell(
        &mut self,
        live: &Live,
        thread: usize,
        open: usize,
        troubles: u64,
        now: u64,
    ) {
        let add = |counter: &AtomicU64, now: u64, told: &mut u64| {
            counter.fetch_add(now - *told, Ordering::Relaxed);
            *told = now;
        };
        add(&live.ops, self.replies, &mut self.told.0);
        add(&live.troubles, troubles, &mut self.told.1);
        live.open[thread].store(open, Ordering::Relaxed);
        self.told_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Shared;
    use super::*;

    #[test]
    fn live_progress_is_told_differences() {
        let shared = Shared::new(2);
        let (mut one, mut other) = (Progress::default(), Progress::default());
        one.asked(5);
        one.answered(3);
        one.tell(&shared.live, 0, 4, 1, 100);
        other.asked(2);
        other.answered(2);
        other.tell(&shared.live, 1, 6, 0, 100);
        one.answered(1);
        one.gave_up();
        one.tell(&shared.live, 0, 3, 2, 200);
        assert_eq!(shared.live.ops.load(Ordering::Relaxed), 6);
        assert_eq!(shared.live.troubles.load(Ordering::Relaxed), 2);
        assert_eq!(shared.live.open[0].load(Ordering::Relaxed), 3);
        assert!(
            !one.is_waiting() && !one.is_news(201) && one.is_news(200 + TELL.as_nanos() as u64)
        );
    }
}
