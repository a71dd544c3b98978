//! Drives a session on the calling thread, with `poll(2)`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Session;
use super::transport::{self, Step, Transport, Wait};
use crate::Shutdown;

/// Carries one connection until it has ended.
///
/// # Errors
/// When the socket cannot be made non-blocking, or `poll` fails.
pub(crate) fn serve(
    stream: TcpStream,
    mut session: Session<'_>,
    shutdown: &Shutdown,
    watch: PollFlags,
) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    // A request rarely comes with the connection, so the first read would find nothing.
    let mut wire = Wire {
        stream,
        drained: true,
        stopping: false,
    };
    loop {
        wire.stopping = shutdown.is_triggered();
        let stopping = wire.stopping;
        match session.step(&mut wire, stopping) {
            Step::Done => return Ok(()),
            Step::Wait(wait) => wire.wait(&wait, shutdown, watch)?,
        }
    }
}

/// Waits until a descriptor can be read, the shutdown has started, or the moment has come.
///
/// # Errors
/// When `poll` fails other than by a signal.
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

/// `poll(2)` with a moment instead of a time-out. A signal ends it early.
pub(crate) fn poll_until(fds: &mut [PollFd<'_>], until: Option<Instant>) -> io::Result<()> {
    let timeout = until.map(|until| {
        let left = until.saturating_duration_since(Instant::now());
        Timespec::try_from(left).unwrap_or(Timespec {
            tv_sec: 3_600,
            tv_nsec: 0,
        })
    });
    match poll(fds, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A non-blocking socket.
struct Wire {
    stream: TcpStream,
    /// The last read left room in the buffer, so the socket has no more for now: the read that
    /// would find `WouldBlock` is saved. If it has after all, `poll` says so.
    drained: bool,
    /// The shutdown has been seen.
    stopping: bool,
}

impl Wire {
    fn wait(&mut self, wait: &Wait, shutdown: &Shutdown, watch: PollFlags) -> io::Result<()> {
        let mut events = watch;
        events.set(PollFlags::IN, wait.read);
        events.set(PollFlags::OUT, wait.write);
        let mut fds = [
            PollFd::from_borrowed_fd(shutdown.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.stream.as_fd(), events),
        ];
        // Once it is triggered the shutdown stays readable, and would be no wait. Nor would a
        // connection that has failed, which `poll` reports even to who only waits for a moment.
        let watched = usize::from(self.stopping)..2 - usize::from(events.is_empty());
        let until = wait.due.map_or(wait.until, |due| wait.until.min(due));
        poll_until(&mut fds[watched], Some(until))?;
        let readable = PollFlags::IN | PollFlags::HUP | PollFlags::ERR;
        if !wait.read || fds[1].revents().intersects(readable) {
            self.drained = false;
        }
        Ok(())
    }
}

impl Transport for Wire {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.drained {
            return Err(ErrorKind::WouldBlock.into());
        }
        let result = self.stream.read(buffer);
        self.drained = match &result {
            Ok(count) => *count > 0 && *count < buffer.len(),
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        };
        result
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
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
