//! A descriptor that a Tokio runtime waits for.
#![expect(
    unsafe_code,
    reason = "Tokio has the caller vouch for a descriptor that is no socket"
)]

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers the descriptor, to be told when it can be read.
///
/// # Errors
/// When the kernel refuses to watch it, or the runtime has no I/O driver.
pub(crate) fn readable(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` names the same open file for as long as the `AsyncFd` keeps it, which
    // is the one condition.
    let registered = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
    registered.map_err(io::Error::from)
}
