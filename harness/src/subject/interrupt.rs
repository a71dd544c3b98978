//! The request to end a run early.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A flag that is set once, by a signal or a test. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    is_asked: Arc<AtomicBool>,
    /// When the run ends even if nobody asks for it.
    until: Option<Instant>,
}

/// Polling interval.
const POLL: Duration = Duration::from_millis(20);

impl Interrupt {
    /// Requests the end of the run. Results so far are kept.
    pub fn set(&self) {
        self.is_asked.store(true, Ordering::Relaxed);
    }

    /// The same flag, which also counts as set once a moment has passed.
    #[must_use]
    pub fn or_at(&self, until: Instant) -> Self {
        let until = self.until.map_or(until, |earlier| earlier.min(until));
        Self {
            is_asked: self.is_asked.clone(),
            until: Some(until),
        }
    }

    /// Whether the end of the run was requested, or is due.
    pub fn is_set(&self) -> bool {
        self.is_asked.load(Ordering::Relaxed)
            || self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// The time until the end is due; `None` if no moment was set.
    pub(crate) fn left(&self) -> Option<Duration> {
        let until = self.until?;
        Some(until.saturating_duration_since(Instant::now()))
    }

    /// Resolves when the end of the run is requested or due.
    pub(crate) async fn wait(&self) {
        while !self.is_set() {
            tokio::time::sleep(POLL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_ends_a_part_and_not_the_whole() {
        let whole = Interrupt::default();
        let now = Instant::now();
        let later = whole.or_at(now + Duration::from_secs(3_600));
        assert!(later.or_at(now).is_set() && !later.is_set() && !whole.is_set());
        // The earlier moment holds.
        let over = whole.or_at(now).or_at(now + Duration::from_secs(3_600));
        assert!(over.is_set());
        whole.set();
        assert!(later.is_set());
    }
}
