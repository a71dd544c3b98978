//! Calls on the socket of a session that only checks need.

use std::io;
use std::os::fd::AsFd;

use rustix::net::{SendFlags, send, sockopt};

/// Sends one urgent byte (`MSG_OOB`).
///
/// # Errors
/// Those of send(2); `WouldBlock` if the send queue is full.
pub(crate) fn send_oob(socket: impl AsFd, byte: u8) -> io::Result<()> {
    let sent = send(socket, &[byte], SendFlags::OOB | SendFlags::NOSIGNAL)?;
    if sent == 1 {
        Ok(())
    } else {
        Err(io::ErrorKind::WriteZero.into())
    }
}

/// Enables or disables quick acknowledgements. The kernel may enable them again by itself, so set
/// this before each read.
///
/// # Errors
/// Those of setsockopt(2).
pub(crate) fn set_quickack(socket: impl AsFd, on: bool) -> io::Result<()> {
    Ok(sockopt::set_tcp_quickack(socket, on)?)
}
