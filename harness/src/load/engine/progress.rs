//! Counters of an engine thread (requests in flight, replies, bytes), and their publication as live progress.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::run_state::Live;

/// Interval at which live progress is published.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(100);

/// Counters that every operation updates.
#[derive(Debug, Default)]
pub(super) struct Progress {
    in_flight: usize,
    replies: u64,
    /// Bytes sent and received.
    bytes: (u64, u64),
    /// Replies and failures published so far, and when.
    published: (u64, u64),
    published_at: u64,
}

impl Progress {
    /// Counts requests that were sent.
    #[inline(always)]
    pub(super) fn asked(&mut self, requests: usize) {
        self.in_flight += requests;
    }

    /// Counts replies that arrived.
    #[inline(always)]
    pub(super) fn answered(&mut self, replies: usize) {
        self.in_flight -= replies;
        self.replies += replies as u64;
    }

    /// Counts a request that will get no reply.
    pub(super) fn gave_up(&mut self) {
        self.in_flight -= 1;
    }

    /// Counts bytes that the kernel accepted.
    #[inline(always)]
    pub(super) fn sent(&mut self, bytes: usize) {
        self.bytes.0 += bytes as u64;
    }

    /// Counts bytes that were received.
    #[inline(always)]
    pub(super) fn received(&mut self, bytes: usize) {
        self.bytes.1 += bytes as u64;
    }

    /// Whether any request is in flight.
    pub(super) fn is_waiting(&self) -> bool {
        self.in_flight > 0
    }

    /// Bytes sent and received so far.
    pub(super) fn bytes(&self) -> (u64, u64) {
        self.bytes
    }

    /// Whether progress is due to be published.
    pub(super) fn is_due(&self, now: u64) -> bool {
        now >= self.published_at + PUBLISH_INTERVAL.as_nanos() as u64
    }

    /// Adds what has happened since the last call to the live progress.
    pub(super) fn publish(
        &mut self,
        live: &Live,
        thread: usize,
        open: usize,
        troubles: u64,
        now: u64,
    ) {
        let add = |counter: &AtomicU64, now: u64, published: &mut u64| {
            counter.fetch_add(now - *published, Ordering::Relaxed);
            *published = now;
        };
        add(&live.ops, self.replies, &mut self.published.0);
        add(&live.troubles, troubles, &mut self.published.1);
        live.open[thread].store(open, Ordering::Relaxed);
        self.published_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::super::RunState;
    use super::*;

    #[test]
    fn only_differences_are_published() {
        let run_state = RunState::new(2);
        let (mut one, mut other) = (Progress::default(), Progress::default());
        one.asked(5);
        one.answered(3);
        one.publish(&run_state.live, 0, 4, 1, 100);
        other.asked(2);
        other.answered(2);
        other.publish(&run_state.live, 1, 6, 0, 100);
        one.answered(1);
        one.gave_up();
        one.publish(&run_state.live, 0, 3, 2, 200);
        assert_eq!(run_state.live.ops.load(Ordering::Relaxed), 6);
        assert_eq!(run_state.live.troubles.load(Ordering::Relaxed), 2);
        assert_eq!(run_state.live.open[0].load(Ordering::Relaxed), 3);
        assert!(
            !one.is_waiting()
                && !one.is_due(201)
                && one.is_due(200 + PUBLISH_INTERVAL.as_nanos() as u64)
        );
    }
}
