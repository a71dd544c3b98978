//! Descriptors that a Tokio runtime waits for.
#![expect(
    unsafe_code,
    reason = "Tokio has the caller vouch for a descriptor that is none of its own"
)]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers something that owns one descriptor, to be told of these events.
///
/// # Errors
/// When the kernel refuses to watch it, or the runtime has no I/O driver.
pub(crate) fn watch<T: AsRawFd + Into<OwnedFd>>(
    owner: T,
    events: Interest,
) -> io::Result<AsyncFd<T>> {
    // SAFETY: the one condition is that the owner names the same open file for as long as the
    // `AsyncFd` keeps it. What can be turned into an `OwnedFd` owns an open descriptor, and the
    // types that this is called with (`OwnedFd` and the sockets of std) never exchange it.
    let registered = unsafe { AsyncFd::register_with_interest(owner, events) };
    registered.map_err(io::Error::from)
}
