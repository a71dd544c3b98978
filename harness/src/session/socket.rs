//! Calls on the socket of a session that only checks need.

use std::io;
use std::os::fd::AsFd;

use rustix::net::{RecvFlags, SendFlags, recv, send, sockopt};

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

/// Reads one byte, if one has arrived. Returns whether it has.
///
/// # Errors
/// Those of recv(2).
pub(crate) fn recv_byte(socket: impl AsFd) -> io::Result<bool> {
    let mut byte = [0_u8];
    match recv(socket, &mut byte, RecvFlags::DONTWAIT) {
        Ok((count, _)) => Ok(count == 1),
        Err(rustix::io::Errno::AGAIN) => Ok(false),
        Err(error) => Err(error.into()),
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
