//! Registers descriptors with a Tokio runtime.
#![expect(
    unsafe_code,
    reason = "Tokio requires the caller to guarantee that the descriptor stays the same"
)]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers the owner of a descriptor for these events.
///
/// # Errors
/// The kernel cannot watch the descriptor, or the runtime has no I/O driver.
pub(crate) fn watch<T: AsRawFd + Into<OwnedFd>>(
    owner: T,
    events: Interest,
) -> io::Result<AsyncFd<T>> {
    // SAFETY: the owner must return the same open descriptor for as long as the `AsyncFd` exists. A
    // type that converts into `OwnedFd` owns an open descriptor, and the types that this is called
    // with (`OwnedFd` and the sockets of std) never replace it.
    let registered = unsafe { AsyncFd::register_with_interest(owner, events) };
    registered.map_err(io::Error::from)
}
