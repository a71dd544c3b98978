//! The one-way switch that tells every part of a server to stop.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::{ServerError, sys};

/// Told once, seen by all: a flag for busy loops and a descriptor for those that wait.
///
/// The descriptor (see [`AsFd`]) becomes readable when the shutdown is triggered and stays so.
/// Nobody may read from it, or the others would miss it.
#[derive(Debug, Clone)]
pub struct Shutdown {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    triggered: AtomicBool,
    event: OwnedFd,
}

impl Shutdown {
    /// A switch that was not triggered yet.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn new() -> Result<Self, ServerError> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(io::Error::from)
            .map_err(ServerError::start("create the shutdown event"))?;
        let triggered = AtomicBool::new(false);
        Ok(Self {
            shared: Arc::new(Shared { triggered, event }),
        })
    }

    /// Starts the shutdown. Returns whether it had been started before. Safe to call in a signal
    /// handler: it allocates nothing, locks nothing and leaves `errno` alone.
    pub fn trigger(&self) -> bool {
        let before = self.shared.triggered.swap(true, Ordering::SeqCst);
        // It can fail only when the counter is full, and then the descriptor is readable.
        let _ = rustix::io::write(&self.shared.event, &1_u64.to_ne_bytes());
        before
    }

    /// Whether the shutdown has started.
    pub fn is_triggered(&self) -> bool {
        self.shared.triggered.load(Ordering::Relaxed)
    }

    /// Waits for the shutdown, in a Tokio runtime with its I/O driver.
    ///
    /// # Errors
    /// When the process has no descriptor left, or the runtime has no I/O driver.
    pub async fn triggered(&self) -> io::Result<()> {
        self.watch()?.readable().await.map(drop)
    }

    /// Registers the shutdown with the Tokio runtime; it is readable once it is triggered.
    pub(crate) fn watch(&self) -> io::Result<AsyncFd<OwnedFd>> {
        sys::watch::watch(self.shared.event.try_clone()?, Interest::READABLE)
    }
}

impl AsFd for Shutdown {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.event.as_fd()
    }
}
