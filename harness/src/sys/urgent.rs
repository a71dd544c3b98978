//! Two socket-level calls of checks. No unsafe code: rustix has both.

use std::io;
use std::os::fd::AsFd;

use rustix::net::{SendFlags, send, sockopt};

/// Sends one urgent byte (`MSG_OOB`).
///
/// # Errors
/// Those of send(2); `WouldBlock` when the send queue is full.
pub fn send_oob(socket: impl AsFd, byte: u8) -> io::Result<()> {
    let sent = send(socket, &[byte], SendFlags::OOB | SendFlags::NOSIGNAL)?;
    if sent == 1 {
        Ok(())
    } else {
        Err(io::ErrorKind::WriteZero.into())
    }
}

/// Turns quick acknowledgements on or off. The kernel may turn them on again by itself: set before each read.
///
/// # Errors
/// Those of setsockopt(2).
pub fn set_quickack(socket: impl AsFd, on: bool) -> io::Result<()> {
    Ok(sockopt::set_tcp_quickack(socket, on)?)
}
