//! Registers descriptors with a Tokio runtime.
#![expect(
    unsafe_code,
    reason = "Tokio requires the caller to guarantee that the descriptor stays the same"
)]

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers the descriptor for these events.
///
/// # Errors
/// The kernel cannot watch the descriptor, or the runtime has no I/O driver.
pub(crate) fn watch(descriptor: OwnedFd, events: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the owner must return the same open descriptor for as long as the `AsyncFd` exists,
    // which an `OwnedFd` does.
    let registered = unsafe { AsyncFd::register_with_interest(descriptor, events) };
    registered.map_err(io::Error::from)
}
