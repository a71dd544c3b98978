//! The amount of written data that still waits in the kernel.
#![expect(unsafe_code, reason = "the SIOCOUTQ ioctl has no safe wrapper")]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Number of bytes in the send queue of a TCP socket, unsent or unacknowledged (SIOCOUTQ).
///
/// Zero means that the peer's kernel has acknowledged everything, not that its program has read it.
///
/// # Errors
/// `EINVAL` for a listening socket, `ENOTTY` for anything but a socket.
pub(crate) fn unsent_bytes(socket: impl AsFd) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    let fd = socket.as_fd().as_raw_fd();
    // SIOCOUTQ and TIOCOUTQ have the same number.
    // SAFETY: the descriptor is borrowed for the call; the request writes one int, which lives here.
    let result = unsafe { libc::ioctl(fd, libc::TIOCOUTQ, &raw mut bytes) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(bytes).unwrap_or(0))
}
