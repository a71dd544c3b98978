//! A listener that this process was started with.
#![expect(
    unsafe_code,
    reason = "a number on the command line becomes a descriptor"
)]

use std::io;
use std::net::TcpListener;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

/// Takes over the descriptor, which from here on is not inherited any further.
///
/// # Errors
/// When the number is not that of an open descriptor beyond the standard ones.
pub(crate) fn listener(number: RawFd) -> io::Result<TcpListener> {
    if number <= 2 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the number is not -1; that it is open is what the next line asks the kernel.
    let asked = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl_getfd(asked)?;
    // SAFETY: it is open, and nobody else in this process owns it: this is called once, by
    // `main`, with the number that the parent made for us, before anything else is opened.
    let owned = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl_setfd(&owned, FdFlags::CLOEXEC)?;
    Ok(owned.into())
}
