//! What a session and its driver ask of each other.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use rustix::net::{RecvFlags, Shutdown};

/// A connected socket, or what stands for one, whose calls return `WouldBlock` instead of waiting.
pub(crate) trait Transport {
    /// Like `recv`.
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
    /// Like `send`.
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Says that nothing more will be sent: a FIN.
    fn try_finish(&mut self) -> io::Result<()>;
    /// Whether something has arrived that was not read. A transport may have guessed that there is
    /// nothing, or have let others go first; a connection is not closed on that ground.
    fn has_unread(&self) -> bool;
    /// The descriptor that a planted fault may act on.
    fn descriptor(&self) -> BorrowedFd<'_>;
}

/// What the driver is to do next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Wait for the socket, the shutdown or a moment, then step again.
    Wait(Wait),
    /// Close the socket.
    Done,
}

/// What a session waits for.
#[derive(Debug)]
pub(crate) struct Wait {
    /// Until something can be read.
    pub(crate) read: bool,
    /// Until something can be written.
    pub(crate) write: bool,
    /// Until held replies may be sent.
    pub(crate) due: Option<Instant>,
    /// At the latest until then.
    pub(crate) until: Instant,
}

/// [`Transport::try_finish`] of a socket.
pub(super) fn finish(socket: impl AsFd) -> io::Result<()> {
    Ok(rustix::net::shutdown(socket, Shutdown::Write)?)
}

/// [`Transport::has_unread`] of a socket.
pub(super) fn has_unread(socket: impl AsFd) -> bool {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    matches!(rustix::net::recv(socket, &mut [0_u8], flags), Ok((_, 1..)))
}
