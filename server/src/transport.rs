//! The interface between a session and the socket or stream that carries it.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::task::Poll;

use rustix::net::{RecvFlags, SendFlags, Shutdown};

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

/// Converts a pending poll into `WouldBlock`.
pub(crate) fn ready_or_would_block<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}

/// [`Transport::try_read`] for a non-blocking socket.
pub(crate) fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let (_, count) = rustix::net::recv(socket, buffer, RecvFlags::empty())?;
    Ok(count)
}

/// [`Transport::try_write`] for a non-blocking socket.
pub(crate) fn send(socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, bytes, SendFlags::NOSIGNAL)?)
}

/// [`Transport::try_finish`] for a socket.
pub(crate) fn finish(socket: impl AsFd) -> io::Result<()> {
    Ok(rustix::net::shutdown(socket, Shutdown::Write)?)
}

/// [`Transport::has_unread`] for a socket.
pub(crate) fn has_unread(socket: impl AsFd) -> bool {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    matches!(rustix::net::recv(socket, &mut [0_u8], flags), Ok((_, 1..)))
}
