//! Limits how many connections are served, and how many are refused, at the same time.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Config;

/// Maximum refusals sent at the same time. Beyond it, connections are closed without a reply.
const REFUSALS_MAX: usize = 64;

/// Counts the open connections and admits new ones.
#[derive(Debug)]
pub(super) struct Admission {
    served_max: usize,
    /// Whether one more is served, from the number of those served and their maximum.
    admits: fn(usize, usize) -> bool,
    open: Mutex<OpenConnections>,
    /// Notified when a connection ends.
    left: Condvar,
}

#[derive(Debug, Default)]
struct OpenConnections {
    served: usize,
    refused: usize,
}

/// What to do with a new connection.
#[derive(Debug)]
pub(super) enum Ruling {
    /// Serve it.
    Serve(Seat),
    /// Reply that there are too many connections, then close it.
    Refuse(Seat),
    /// Close it without a reply: too many refusals are being sent already.
    Drop,
}

/// The place of one open connection. Dropping it frees the place.
#[derive(Debug)]
pub(super) struct Seat {
    admission: Arc<Admission>,
    refused: bool,
}

impl Admission {
    /// Admits up to [`Config::max_connections`].
    pub(super) fn new(config: &Config) -> Arc<Self> {
        let sound = |served, served_max| served < served_max;
        Arc::new(Self {
            served_max: config.max_connections,
            admits: config.hooks().admits.unwrap_or(sound),
            open: Mutex::default(),
            left: Condvar::new(),
        })
    }

    /// Decides about a new connection.
    pub(super) fn admit(self: &Arc<Self>) -> Ruling {
        let mut open = self.open();
        let seat = |refused| Seat {
            admission: Arc::clone(self),
            refused,
        };
        if (self.admits)(open.served, self.served_max) {
            open.served += 1;
            Ruling::Serve(seat(false))
        } else if open.refused < REFUSALS_MAX {
            open.refused += 1;
            Ruling::Refuse(seat(true))
        } else {
            Ruling::Drop
        }
    }

    /// Waits until all connections have ended, for at most `time`.
    pub(super) fn wait_empty(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut open = self.open();
        while open.served + open.refused > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                tracing::warn!(
                    connections = open.served,
                    "connections remain after the drain"
                );
                return;
            }
            let waited = self.left.wait_timeout(open, left);
            open = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A poisoned lock is fine: the counts are valid even if a thread panicked while it held them.
    fn open(&self) -> MutexGuard<'_, OpenConnections> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.admission.open();
        if self.refused {
            open.refused -= 1;
        } else {
            open.served -= 1;
        }
        self.admission.left.notify_all();
    }
}
