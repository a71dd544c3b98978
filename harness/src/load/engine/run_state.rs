//! State that the engine threads share with the thread that watches them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::client_end::ClientEnd;

/// State shared by all threads of one load.
#[derive(Debug, Default)]
pub(crate) struct RunState {
    /// When the load begins, in nanoseconds of the monotonic clock; 0 until that is decided.
    pub(super) begin: AtomicU64,
    /// Set to stop all threads early; what was measured is kept.
    pub(super) stop: AtomicBool,
    /// Set once the connections may be closed, because both of their ends have been sampled.
    pub(super) release: AtomicBool,
    /// Number of threads that have opened their connections, or have given up on some.
    pub(super) connected: AtomicUsize,
    /// Number of threads that have no more replies to wait for.
    pub(super) drained: AtomicUsize,
    /// Sampled connections, at the end of the measured period.
    pub(super) ends: Mutex<Vec<ClientEnd>>,
    pub live: Live,
}

/// Counters for live progress, updated several times per second.
#[derive(Debug, Default)]
pub(crate) struct Live {
    /// Number of open connections per thread.
    pub open: Vec<AtomicUsize>,
    /// Number of replies.
    pub ops: AtomicU64,
    /// Number of wrong replies, lost connections and failed connects.
    pub troubles: AtomicU64,
}

impl RunState {
    /// The state of a load with `threads` engine threads.
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            live: Live {
                open: (0..threads).map(|_| AtomicUsize::new(0)).collect(),
                ..Live::default()
            },
            ..Self::default()
        }
    }

    /// Starts the load at time `at`.
    pub(crate) fn begin(&self, at: u64) {
        self.begin.store(at, Ordering::Release);
    }

    /// Stops the load early.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Allows the threads to close their connections.
    pub(crate) fn release(&self) {
        self.release.store(true, Ordering::Release);
    }

    /// Number of threads that have opened their connections.
    pub(crate) fn connected(&self) -> usize {
        self.connected.load(Ordering::Acquire)
    }

    /// Number of threads that have no more replies to wait for.
    pub(crate) fn drained(&self) -> usize {
        self.drained.load(Ordering::Acquire)
    }

    /// Takes the sampled connections.
    pub(crate) fn take_ends(&self) -> Vec<ClientEnd> {
        self.ends
            .lock()
            .map(|mut ends| std::mem::take(&mut *ends))
            .unwrap_or_default()
    }

    /// Whether the load was stopped early.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
