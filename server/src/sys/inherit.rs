//! The listener that a worker inherits from its parent.
#![expect(
    unsafe_code,
    reason = "a number from the command line becomes a descriptor"
)]

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

/// Takes ownership of the descriptor and marks it close-on-exec.
///
/// # Errors
/// The number is not an open descriptor, or it is one of the standard streams.
pub(crate) fn descriptor(number: RawFd) -> io::Result<OwnedFd> {
    if number <= 2 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the number is not -1, and the next line asks the kernel whether it is open.
    let candidate = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl_getfd(candidate)?;
    // SAFETY: the descriptor is open, and nothing else in this process owns it: this function is
    // called once, with the number that the parent created for this process.
    let owned = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl_setfd(&owned, FdFlags::CLOEXEC)?;
    Ok(owned)
}
