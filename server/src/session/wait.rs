//! What a session asks of its driver.

use std::time::Instant;

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
