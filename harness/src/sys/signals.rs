//! Signals: numbers as rustix values, dispositions, and SIGCHLD as a descriptor.
#![expect(
    unsafe_code,
    reason = "signal dispositions, masks and signalfd have no safe wrapper"
)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd};

use rustix::process::Signal;

/// The signal with this number, including real-time ones; `None` outside 1..=64.
pub(crate) fn signal_from_raw(number: i32) -> Option<Signal> {
    if let Some(named) = Signal::from_named_raw(number) {
        return Some(named);
    }
    let real_time = libc::SIGRTMIN()..=libc::SIGRTMAX();
    // SAFETY: the number is a valid signal that the C library leaves to programs; it is only sent,
    // never given a handler here.
    real_time
        .contains(&number)
        .then(|| unsafe { Signal::from_raw_unchecked(number) })
}

pub(crate) fn ignore(signals: &[Signal]) {
    for signal in signals {
        // SAFETY: SIG_IGN runs no code of ours; a number that cannot be ignored is refused with an error.
        unsafe { libc::signal(signal.as_raw(), libc::SIG_IGN) };
    }
}

/// Restores the default action of these signals. Rust's runtime handles SIGSEGV and SIGBUS by itself.
pub(crate) fn restore_default(signals: &[Signal]) {
    for signal in signals {
        // SAFETY: SIG_DFL runs no code of ours.
        unsafe { libc::signal(signal.as_raw(), libc::SIG_DFL) };
    }
}

/// Blocks SIGCHLD in the calling thread and returns a descriptor that is readable while one is
/// pending.
///
/// Only for a single-threaded process, whose children must reset the mask (see `prepare_child`).
///
/// # Errors
/// Those of signalfd(2).
pub(crate) fn watch_children() -> io::Result<OwnedFd> {
    watch_signals(&[Signal::CHILD])
}

/// As [`watch_children`], for any signals.
///
/// # Errors
/// Those of signalfd(2).
pub(crate) fn watch_signals(signals: &[Signal]) -> io::Result<OwnedFd> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset fills in the whole set before it is read; all pointers are to live locals.
    let fd = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::signal(signal.as_raw(), libc::SIG_DFL);
            libc::sigaddset(set.as_mut_ptr(), signal.as_raw());
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut());
        libc::signalfd(-1, set.as_ptr(), libc::SFD_NONBLOCK | libc::SFD_CLOEXEC)
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: signalfd has just returned this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The number of the next pending signal of [`watch_signals`].
pub(crate) fn next_signal(watched: &OwnedFd) -> Option<i32> {
    let mut siginfo = [0u8; size_of::<libc::signalfd_siginfo>()];
    let read = rustix::io::read(watched, &mut siginfo).ok()?;
    // The number is the first field, a u32.
    let number = siginfo
        .first_chunk::<4>()
        .filter(|_| read == siginfo.len())?;
    i32::try_from(u32::from_ne_bytes(*number)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_signals() {
        assert_eq!(signal_from_raw(15), Some(Signal::TERM));
        assert_eq!(signal_from_raw(0), None);
        assert_eq!(signal_from_raw(-3), None);
        assert_eq!(signal_from_raw(65), None);
        assert_eq!(signal_from_raw(40).map(Signal::as_raw), Some(40));
    }
}
