//! What a session and its driver ask of each other.

use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

use rustix::net::RecvFlags;

/// A connected socket whose calls return `WouldBlock` instead of waiting.
pub(crate) trait Transport: AsFd {
    /// Like `recv`.
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
    /// Like `send`.
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize>;
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

/// Whether the kernel holds something that was not read. The transport may have guessed, or have
/// let others go first; a connection is not closed on that ground.
pub(super) fn has_unread(wire: &impl Transport) -> bool {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    matches!(rustix::net::recv(wire, &mut [0_u8], flags), Ok((_, 1..)))
}
