//! `accept`, and what to do when it fails.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use socket2::SockRef;

use crate::hooks::Retry;
use crate::session::blocking::wait_readable;
use crate::{Config, ServerError, Shutdown};

/// The pause while a resource is missing. Level-triggered readiness would else be a busy loop.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// Whether there is a descriptor left for a connection. A server that was started without must
/// say so instead of refusing everybody.
pub(super) fn ensure_room(listener: BorrowedFd<'_>) -> Result<(), ServerError> {
    let probe = listener.try_clone_to_owned();
    probe
        .map(drop)
        .map_err(ServerError::start("have a descriptor for a connection"))
}

/// Gives each connection to `serve`, on this thread, until the shutdown.
pub(super) fn each(
    listener: &TcpListener,
    config: &Config,
    shutdown: &Shutdown,
    mut serve: impl FnMut(TcpStream, SocketAddr),
) -> Result<(), ServerError> {
    ensure_room(listener.as_fd())?;
    let mut complaints = Complaints::default();
    while !shutdown.is_triggered() {
        let waited = match listener.accept() {
            Ok((stream, peer)) => {
                accepted(listener.as_fd(), stream.as_fd(), config);
                serve(stream, peer);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                wait_readable(listener.as_fd(), shutdown, None)
            }
            Err(error) => match refused(listener.as_fd(), &error, config, &mut complaints) {
                Retry::Now => Ok(()),
                Retry::Later => pause(shutdown),
            },
        };
        waited.map_err(ServerError::start("wait for connections"))?;
    }
    Ok(())
}

/// What there is to do on a connection that was just accepted. The other options come from the
/// listener, see [`bind`](crate::bind).
pub(super) fn accepted(listener: BorrowedFd<'_>, stream: BorrowedFd<'_>, config: &Config) {
    if let Some(size) = config.so_rcvbuf_after_accept
        && let Err(error) = SockRef::from(&stream).set_recv_buffer_size(size)
    {
        tracing::warn!(%error, "cannot set SO_RCVBUF");
    }
    if let Some(after_accept) = config.hooks().after_accept {
        after_accept(listener, Ok(stream));
    }
}

/// What to do after an error of `accept`.
pub(super) fn refused(
    listener: BorrowedFd<'_>,
    error: &io::Error,
    config: &Config,
    complaints: &mut Complaints,
) -> Retry {
    complaints.warn("cannot accept a connection", error);
    match config.hooks().after_accept {
        Some(after_accept) => after_accept(listener, Err(error)),
        None => retry(error),
    }
}

/// accept(2): an error that a connection had before it was accepted is reported here, and the
/// next one may be well. Any other error stays until something changes.
pub(crate) fn retry(error: &io::Error) -> Retry {
    const OF_ONE_CONNECTION: [Errno; 10] = [
        Errno::INTR,
        Errno::CONNABORTED,
        Errno::PROTO,
        Errno::NETDOWN,
        Errno::NOPROTOOPT,
        Errno::HOSTDOWN,
        Errno::NONET,
        Errno::HOSTUNREACH,
        Errno::NETUNREACH,
        Errno::TIMEDOUT,
    ];
    match Errno::from_io_error(error) {
        Some(errno) if OF_ONE_CONNECTION.contains(&errno) => Retry::Now,
        _ => Retry::Later,
    }
}

/// Waits a little, or until the shutdown.
fn pause(shutdown: &Shutdown) -> io::Result<()> {
    wait_readable(shutdown.as_fd(), shutdown, Some(Instant::now() + PAUSE))
}

/// Warnings about what goes on and on: at most one a second.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    last: Option<Instant>,
    suppressed: u64,
}

impl Complaints {
    /// Logs the error unless one was logged within the last second.
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
