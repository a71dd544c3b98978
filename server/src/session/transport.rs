//! The interface between a session and its driver.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::task::Poll;
use std::time::Instant;

use rustix::net::{RecvFlags, Shutdown};

/// A connected socket or stream. Its operations return `WouldBlock` instead of waiting.
pub(crate) trait Transport {
    /// Like `recv`.
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
    /// Like `send`.
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Sends a FIN.
    fn try_finish(&mut self) -> io::Result<()>;
    /// Whether received bytes are unread. `WouldBlock` from [`try_read`](Self::try_read) does not
    /// rule that out: the transport may have skipped the system call.
    fn has_unread(&self) -> bool;
    /// The descriptor that a planted fault may act on.
    fn descriptor(&self) -> BorrowedFd<'_>;
}

/// What the driver does next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Wait for the socket, the shutdown or a time, then step again.
    Wait(Wait),
    /// Close the socket.
    Done,
}

/// The events that a session waits for.
#[derive(Debug)]
pub(crate) struct Wait {
    /// The socket is readable.
    pub(crate) read: bool,
    /// The socket is writable.
    pub(crate) write: bool,
    /// Delayed replies may be sent.
    pub(crate) due: Option<Instant>,
    /// The deadline of the wait.
    pub(crate) until: Instant,
}

/// Converts a pending poll into `WouldBlock`.
pub(super) fn ready_or_would_block<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}

/// [`Transport::try_finish`] for a socket.
pub(super) fn finish(socket: impl AsFd) -> io::Result<()> {
    Ok(rustix::net::shutdown(socket, Shutdown::Write)?)
}

/// [`Transport::has_unread`] for a socket.
pub(super) fn has_unread(socket: impl AsFd) -> bool {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    matches!(rustix::net::recv(socket, &mut [0_u8], flags), Ok((_, 1..)))
}
