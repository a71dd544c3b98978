//! Prevents descriptors inherited by tcprove from being passed on.
#![expect(unsafe_code, reason = "close_range has no safe wrapper")]

use std::io;

/// Marks every descriptor from `first` on as close-on-exec.
///
/// Build tools and CI runners leak descriptors (job-server pipes, locks). A server must not inherit
/// them: they would be counted as its own and keep foreign pipes open.
///
/// # Errors
/// `ENOSYS` on kernels before 5.11.
pub(crate) fn close_on_exec_from(first: u32) -> io::Result<()> {
    let flag = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: close_range takes three integers. With CLOSE_RANGE_CLOEXEC it closes nothing now,
    // so no owned descriptor of this process becomes invalid.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flag) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
