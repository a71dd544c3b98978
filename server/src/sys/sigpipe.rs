//! What a write to a connection that was reset does to the process.
#![expect(
    unsafe_code,
    reason = "no safe crate in use sets the disposition of a signal"
)]

/// Undoes what Rust does at start: SIGPIPE kills the process again.
pub(crate) fn kill() {
    // SAFETY: the default disposition runs no code of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}
