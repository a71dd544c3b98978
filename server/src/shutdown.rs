//! The switch that stops every part of a server.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::{ServerError, sys};

/// A one-way switch, shared by all its clones, that tells a server to stop.
///
/// It is a flag for code that is running and a descriptor (see [`AsFd`]) for code that is waiting.
/// The descriptor becomes readable when the shutdown is triggered, and stays readable because
/// nobody reads from it.
#[derive(Debug, Clone)]
pub struct Shutdown {
    state: Arc<ShutdownState>,
}

#[derive(Debug)]
struct ShutdownState {
    triggered: AtomicBool,
    event: OwnedFd,
}

impl Shutdown {
    /// A switch that has not been triggered.
    ///
    /// # Errors
    /// The process has no descriptor left.
    pub fn new() -> Result<Self, ServerError> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(io::Error::from)
            .map_err(ServerError::start("create the shutdown event"))?;
        let triggered = AtomicBool::new(false);
        Ok(Self {
            state: Arc::new(ShutdownState { triggered, event }),
        })
    }

    /// Starts the shutdown. May be called from a signal handler: it neither allocates nor locks, and
    /// it preserves `errno`.
    pub fn trigger(&self) {
        self.state.triggered.store(true, Ordering::SeqCst);
        // Writing fails only if the counter is full, and then the descriptor is readable already.
        let _ = rustix::io::write(&self.state.event, &1_u64.to_ne_bytes());
    }

    /// Whether the shutdown has started.
    pub(crate) fn is_triggered(&self) -> bool {
        self.state.triggered.load(Ordering::Relaxed)
    }

    /// Registers the descriptor with the Tokio runtime.
    pub(crate) fn watch(&self) -> io::Result<AsyncFd<OwnedFd>> {
        sys::watch::watch(self.state.event.try_clone()?, Interest::READABLE)
    }
}

impl AsFd for Shutdown {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.state.event.as_fd()
    }
}
