//! The disposition of SIGPIPE, which a write to a reset connection raises.
#![expect(
    unsafe_code,
    reason = "no safe crate in use sets the disposition of a signal"
)]

/// Restores the default, which Rust changes at start: SIGPIPE kills the process.
pub(crate) fn restore_default() {
    // SAFETY: the default disposition runs no code in this process.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}
