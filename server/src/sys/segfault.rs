//! The death of a program that touched memory it does not have.
#![expect(
    unsafe_code,
    reason = "no safe crate in use sets the disposition of a signal"
)]

use std::process;

/// Ends the process by SIGSEGV, as the kernel would.
pub(crate) fn die() -> ! {
    // Rust's own handler, which looks for stack overflows, would return to us.
    // SAFETY: the default disposition runs no code of ours.
    unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
    // Not kill(2): another thread might take that signal, and only after we have gone on.
    // SAFETY: it has no argument that could be wrong.
    unsafe { libc::raise(libc::SIGSEGV) };
    process::abort()
}
