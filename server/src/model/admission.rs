//! How many connections are served at once, and how many are told that there is no room.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Refusals that are being sent at once; beyond them a connection is closed without a word.
const REFUSALS_MAX: usize = 64;

/// The connections that are there, counted.
#[derive(Debug)]
pub(super) struct Admission {
    served_max: usize,
    counts: Mutex<Counts>,
    left: Condvar,
}

#[derive(Debug, Default)]
struct Counts {
    served: usize,
    refused: usize,
}

/// What becomes of a new connection.
#[derive(Debug)]
pub(super) enum Entry {
    /// It is served.
    Serve(Seat),
    /// It is told that there is no room.
    Refuse(Seat),
    /// It is closed: not even refusals have room.
    Drop,
}

/// A place among the connections; dropping it frees the place.
#[derive(Debug)]
pub(super) struct Seat {
    admission: Arc<Admission>,
    refused: bool,
}

impl Admission {
    /// Room for so many connections.
    pub(super) fn new(served_max: usize) -> Arc<Self> {
        Arc::new(Self {
            served_max,
            counts: Mutex::default(),
            left: Condvar::new(),
        })
    }

    /// A connection has come.
    pub(super) fn enter(self: &Arc<Self>) -> Entry {
        let mut counts = self.counts();
        let seat = |refused| Seat {
            admission: Arc::clone(self),
            refused,
        };
        if counts.served < self.served_max {
            counts.served += 1;
            Entry::Serve(seat(false))
        } else if counts.refused < REFUSALS_MAX {
            counts.refused += 1;
            Entry::Refuse(seat(true))
        } else {
            Entry::Drop
        }
    }

    /// Waits until all connections have ended, but no longer than the given time.
    pub(super) fn wait_empty(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut counts = self.counts();
        while counts.served + counts.refused > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                tracing::warn!(connections = counts.served, "left behind after the drain");
                return;
            }
            let waited = self.left.wait_timeout(counts, left);
            counts = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The counts stay right when a thread panics while it holds them.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.admission.counts();
        if self.refused {
            counts.refused -= 1;
        } else {
            counts.served -= 1;
        }
        self.admission.left.notify_all();
    }
}
