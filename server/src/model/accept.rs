//! Accepting connections, and what happens when `accept` fails.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::config::hooks::Retry;
use crate::listen::accept;
use crate::peer::Peer;
use crate::session::blocking::wait_readable;
use crate::{Config, Listener, ServerError, Shutdown};

/// Pause after `accept` has failed for lack of a resource. The listener stays readable meanwhile, so
/// calling `accept` again immediately would be a busy loop.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// Fails if the process has no descriptor left for a connection, so that a server that can accept
/// nobody reports it at start.
pub(super) fn ensure_descriptor(listener: BorrowedFd<'_>) -> Result<(), ServerError> {
    let probe = listener.try_clone_to_owned();
    probe
        .map(drop)
        .map_err(ServerError::start("open a descriptor for a connection"))
}

/// Accepts connections on this thread and passes each to `serve`, until the shutdown.
pub(super) fn each(
    listener: &Listener,
    config: &Config,
    shutdown: &Shutdown,
    mut serve: impl FnMut(OwnedFd, Peer),
) -> Result<(), ServerError> {
    ensure_descriptor(listener.as_fd())?;
    let mut warnings = ThrottledWarnings::default();
    while !shutdown.is_triggered() {
        let waited = match timed_accept(listener, config) {
            Ok((stream, peer)) => {
                accepted(listener.as_fd(), stream.as_fd(), config);
                serve(stream, peer);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                wait_readable(listener.as_fd(), shutdown, None)
            }
            Err(error) => match failed(listener.as_fd(), &error, config, &mut warnings) {
                Retry::Now => Ok(()),
                Retry::Later => pause(shutdown),
            },
        };
        waited.map_err(ServerError::start("wait for connections"))?;
    }
    Ok(())
}

/// Accepts a connection, and tells the hook of the planted fault how long that took.
fn timed_accept(listener: &Listener, config: &Config) -> io::Result<(OwnedFd, Peer)> {
    let Some(accept_took) = config.hooks().accept_took else {
        return accept(listener);
    };
    let begun = Instant::now();
    let accepted = accept(listener);
    accept_took(begun.elapsed());
    accepted
}

/// Sets the options of a new connection that it does not inherit from the listener (see
/// [`bind`](crate::bind)), and runs the hook of the planted fault.
pub(super) fn accepted(listener: BorrowedFd<'_>, stream: BorrowedFd<'_>, config: &Config) {
    let (mut receive, mut send) = (config.so_rcvbuf_after_accept, None);
    if config.unix.is_some() {
        // A Unix socket inherits no buffer sizes.
        (receive, send) = (receive.or(config.so_rcvbuf), config.so_sndbuf);
    }
    let socket = SockRef::from(&stream);
    if let Some(size) = receive
        && let Err(error) = socket.set_recv_buffer_size(size)
    {
        tracing::warn!(%error, "cannot set SO_RCVBUF");
    }
    if let Some(size) = send
        && let Err(error) = socket.set_send_buffer_size(size)
    {
        tracing::warn!(%error, "cannot set SO_SNDBUF");
    }
    if let Some(after_accept) = config.hooks().after_accept {
        after_accept(listener, Ok(stream));
    }
}

/// Logs an error of `accept` and decides when to call it again.
pub(super) fn failed(
    listener: BorrowedFd<'_>,
    error: &io::Error,
    config: &Config,
    warnings: &mut ThrottledWarnings,
) -> Retry {
    warnings.warn("cannot accept a connection", error);
    match config.hooks().after_accept {
        Some(after_accept) => after_accept(listener, Err(error)),
        None => Retry::after(error),
    }
}

/// Waits for [`PAUSE`] or until the shutdown.
fn pause(shutdown: &Shutdown) -> io::Result<()> {
    wait_readable(shutdown.as_fd(), shutdown, Some(Instant::now() + PAUSE))
}

/// Logs at most one warning per second, for errors that may repeat quickly.
#[derive(Debug, Default)]
pub(super) struct ThrottledWarnings {
    last: Option<Instant>,
    suppressed: u64,
}

impl ThrottledWarnings {
    /// Logs the error, unless another one was logged within the last second.
    pub(super) fn warn(&mut self, what: &'static str, error: &io::Error) {
        let now = Instant::now();
        if self
            .last
            .is_some_and(|last| now - last < Duration::from_secs(1))
        {
            self.suppressed += 1;
            return;
        }
        tracing::warn!(%error, suppressed = self.suppressed, "{what}");
        (self.last, self.suppressed) = (Some(now), 0);
    }
}
