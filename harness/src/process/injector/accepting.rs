//! Threads that compete for a connection. All of them may be told of the same one; while a thread that was let through has not
//! taken it yet, the next one would seem to take it too.

use std::time::{Duration, Instant};

/// Maximum time that a thread needs for an accept that does not wait.
const TAKES_MAX: Duration = Duration::from_millis(200);

/// The thread that was last let through to take a connection.
#[derive(Debug, Default)]
pub(super) struct Accepting(Option<(u32, Instant)>);

impl Accepting {
    /// A thread is let through.
    pub(super) fn begins(&mut self, thread: u32, now: Instant) {
        self.0 = Some((thread, now));
    }

    /// A thread makes another call: it has done what it was let through for.
    pub(super) fn calls(&mut self, thread: u32) {
        if self.0.is_some_and(|(known, _)| known == thread) {
            self.0 = None;
        }
    }

    /// Whether a thread may still be about to take the connection.
    pub(super) fn is_busy(&self, now: Instant) -> bool {
        self.0
            .is_some_and(|(_, since)| now.saturating_duration_since(since) < TAKES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_at_a_time_takes_a_connection() {
        let now = Instant::now();
        let mut accepting = Accepting::default();
        assert!(!accepting.is_busy(now));
        accepting.begins(7, now);
        accepting.calls(8);
        assert!(accepting.is_busy(now));
        accepting.calls(7);
        assert!(!accepting.is_busy(now));
        accepting.begins(7, now);
        assert!(!accepting.is_busy(now + TAKES_MAX));
    }
}
