//! Drives a session on the calling thread, with `poll(2)`.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Connection;
use super::wait::{Next, Wait};
use crate::config::hooks::Hooks;
use crate::transport::Transport;
use crate::{Shutdown, transport};

/// Serves one connection until it ends.
///
/// # Errors
/// The socket cannot be made non-blocking, or `poll` fails.
pub(crate) fn serve(
    stream: OwnedFd,
    mut connection: Connection<'_>,
    shutdown: &Shutdown,
    hooks: Hooks,
) -> io::Result<()> {
    rustix::io::ioctl_fionbio(&stream, true)?;
    // A request rarely arrives together with its connection, so the first read is skipped.
    let mut socket = PolledSocket {
        stream,
        drained: true,
        stopping: false,
    };
    loop {
        socket.stopping = shutdown.is_triggered();
        let stopping = socket.stopping;
        match connection.step(&mut socket, stopping) {
            Next::Done => return Ok(()),
            Next::Wait(wait) => socket.wait(&wait, shutdown, hooks)?,
        }
    }
}

/// Waits until the descriptor is readable, the shutdown has started, or `until` has passed.
///
/// # Errors
/// `poll` fails, other than with EINTR.
pub(crate) fn wait_readable(
    fd: BorrowedFd<'_>,
    shutdown: &Shutdown,
    until: Option<Instant>,
) -> io::Result<()> {
    let mut fds = [
        PollFd::from_borrowed_fd(fd, PollFlags::IN),
        PollFd::from_borrowed_fd(shutdown.as_fd(), PollFlags::IN),
    ];
    poll_until(&mut fds, until)
}

/// `poll(2)` with a deadline instead of a timeout. A signal ends the wait early.
pub(crate) fn poll_until(fds: &mut [PollFd<'_>], until: Option<Instant>) -> io::Result<()> {
    match interruptible_poll(fds, until) {
        Err(Errno::INTR) => Ok(()),
        polled => Ok(polled?),
    }
}

/// As [`poll_until`], but a signal is an error.
fn interruptible_poll(fds: &mut [PollFd<'_>], until: Option<Instant>) -> Result<(), Errno> {
    let timeout = until.map(|until| {
        let left = until.saturating_duration_since(Instant::now());
        Timespec::try_from(left).unwrap_or(Timespec {
            tv_sec: 3_600,
            tv_nsec: 0,
        })
    });
    poll(fds, timeout.as_ref()).map(drop)
}

/// A non-blocking socket that is waited for with `poll(2)`.
struct PolledSocket {
    stream: OwnedFd,
    /// The last read did not fill the buffer, so the socket is probably empty. This saves the read
    /// that would return `WouldBlock`; if bytes are left, `poll` reports them.
    drained: bool,
    /// The session knows about the shutdown.
    stopping: bool,
}

impl PolledSocket {
    fn wait(&mut self, wait: &Wait, shutdown: &Shutdown, hooks: Hooks) -> io::Result<()> {
        let mut events = hooks.watch;
        events.set(PollFlags::IN, wait.read);
        events.set(PollFlags::OUT, wait.write);
        let mut fds = [
            PollFd::from_borrowed_fd(shutdown.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.stream.as_fd(), events),
        ];
        // Leave out descriptors that would end every wait immediately: a triggered shutdown stays
        // readable, and `poll` reports a failed connection even if no event is requested.
        let watched = usize::from(self.stopping)..2 - usize::from(events.is_empty());
        let until = wait.due.map_or(wait.until, |due| wait.until.min(due));
        match interruptible_poll(&mut fds[watched], Some(until)) {
            Err(Errno::INTR) if !hooks.ends_when_interrupted => {}
            polled => polled?,
        }
        let readable = PollFlags::IN | PollFlags::HUP | PollFlags::ERR;
        if !wait.read || fds[1].revents().intersects(readable) {
            self.drained = false;
        }
        Ok(())
    }
}

impl Transport for PolledSocket {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.drained {
            return Err(ErrorKind::WouldBlock.into());
        }
        let result = transport::receive(&self.stream, buffer);
        self.drained = match &result {
            Ok(count) => *count > 0 && *count < buffer.len(),
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        };
        result
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        transport::send(&self.stream, bytes)
    }

    fn try_finish(&mut self) -> io::Result<()> {
        transport::finish(&self.stream)
    }

    fn has_unread(&self) -> bool {
        transport::has_unread(&self.stream)
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
