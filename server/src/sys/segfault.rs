//! Death by SIGSEGV.
#![expect(
    unsafe_code,
    reason = "no safe crate in use sets the disposition of a signal"
)]

use std::process;

/// Ends the process by SIGSEGV, like an invalid memory access.
pub(crate) fn die() -> ! {
    // Rust's handler, which detects stack overflows, would return.
    // SAFETY: the default disposition runs no code in this process.
    unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
    // raise(3) rather than kill(2), which may deliver the signal to another thread, later.
    // SAFETY: raise has no preconditions.
    unsafe { libc::raise(libc::SIGSEGV) };
    process::abort()
}
