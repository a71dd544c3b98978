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

/// Blocks SIGCHLD in the calling thread and returns a descriptor that is readable while one is
/// pending.
///
/// Only for a single-threaded process, whose children must reset the mask (see `prepare_child`).
///
/// # Errors
/// Those of signalfd(2).
pub(crate) fn watch_children() -> io::Result<OwnedFd> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset fills in the whole set before it is read; all pointers are to live locals.
    let fd = unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGCHLD);
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut());
        libc::signalfd(-1, set.as_ptr(), libc::SFD_NONBLOCK | libc::SFD_CLOEXEC)
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: signalfd has just returned this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
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
