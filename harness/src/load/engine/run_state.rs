//! What the engine threads and the thread that watches them tell each other.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::client_end::ClientEnd;

/// RunState by all threads of one load.
#[derive(Debug, Default)]
pub struct RunState {
    /// When the load begins, in nanoseconds of the monotonic clock; 0 until that is settled.
    pub(super) begin: AtomicU64,
    /// Everybody is to stop now, and keep what was measured.
    pub(super) stop: AtomicBool,
    /// The connections may be closed: both of their ends have been looked at.
    pub(super) release: AtomicBool,
    /// Threads that have all their connections, or gave up on some.
    pub(super) connected: AtomicUsize,
    /// Threads that wait for no more replies.
    pub(super) drained: AtomicUsize,
    /// Some connections, near the end of the measured period.
    pub(super) ends: Mutex<Vec<ClientEnd>>,
    /// For live progress.
    pub live: Live,
}

/// Counts so far, brought up to date some times a second.
#[derive(Debug, Default)]
pub struct Live {
    /// Connections that are open, by thread.
    pub open: Vec<AtomicUsize>,
    /// Replies.
    pub ops: AtomicU64,
    /// Wrong replies, lost connections, connects that failed.
    pub troubles: AtomicU64,
}

impl RunState {
    /// For so many threads.
    pub fn new(threads: usize) -> Self {
        Self {
            live: Live {
                open: (0..threads).map(|_| AtomicUsize::new(0)).collect(),
                ..Live::default()
            },
            ..Self::default()
        }
    }

    /// Lets the load begin at this moment.
    pub fn begin(&self, at: u64) {
        self.begin.store(at, Ordering::Release);
    }

    /// Ends it now.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Lets the connections go.
    pub fn release(&self) {
        self.release.store(true, Ordering::Release);
    }

    /// How many threads have their connections.
    pub fn connected(&self) -> usize {
        self.connected.load(Ordering::Acquire)
    }

    /// How many threads wait for no more replies.
    pub fn drained(&self) -> usize {
        self.drained.load(Ordering::Acquire)
    }

    /// The connections that the threads picked to be looked at from both ends.
    pub fn take_ends(&self) -> Vec<ClientEnd> {
        self.ends
            .lock()
            .map(|mut ends| std::mem::take(&mut *ends))
            .unwrap_or_default()
    }

    /// Whether the end was asked for.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
