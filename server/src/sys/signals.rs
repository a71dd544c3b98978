//! SIGTERM and SIGINT trigger the shutdown; the second one ends the process.
#![expect(unsafe_code, reason = "no safe crate in use installs a signal handler")]

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Shutdown;
use crate::hooks::OnSignal;

static SHUTDOWN: OnceLock<Shutdown> = OnceLock::new();
static SEEN: AtomicBool = AtomicBool::new(false);

/// Installs the handlers, once in a process. The shutdown that was given first stays.
///
/// # Errors
/// When the kernel refuses, which it does only for signals that do not exist.
pub(crate) fn install(shutdown: &Shutdown, on_signal: OnSignal) -> io::Result<()> {
    // A second call changes nothing about who is told.
    let _ = SHUTDOWN.set(shutdown.clone());
    let handler = match on_signal {
        OnSignal::Drain => drain as extern "C" fn(libc::c_int) as libc::sighandler_t,
        OnSignal::Exit => exit as extern "C" fn(libc::c_int) as libc::sighandler_t,
        OnSignal::Ignore => libc::SIG_IGN,
    };
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: all zeros is a valid `sigaction`: an empty mask and no flags.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = handler;
        action.sa_flags = libc::SA_RESTART;
        // SAFETY: the handlers below do only what signal-safety(7) allows: atomics, write(2) and
        // _exit(2). `OnceLock::get` is an atomic load, and it was set before.
        let result = unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

extern "C" fn drain(signal: libc::c_int) {
    if SEEN.swap(true, Ordering::SeqCst) {
        // SAFETY: _exit(2) ends the process without running anything of it.
        unsafe { libc::_exit(128 + signal) };
    }
    if let Some(shutdown) = SHUTDOWN.get() {
        shutdown.trigger();
    }
}

extern "C" fn exit(_signal: libc::c_int) {
    // SAFETY: _exit(2) ends the process without running anything of it.
    unsafe { libc::_exit(0) };
}
