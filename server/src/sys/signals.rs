//! The handlers of SIGTERM, SIGINT and SIGHUP.
#![expect(unsafe_code, reason = "no safe crate in use installs a signal handler")]

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// How the process reacts to a stop signal.
pub(crate) enum Reaction {
    /// The first signal calls the function, which must be async-signal-safe (signal-safety(7)). The
    /// second signal exits with 128 plus its number.
    Call(Box<dyn Fn() + Send + Sync>),
    /// Exits with code 0.
    Exit,
    /// Ignores the signal.
    Ignore,
}

static FUNCTION: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();
static ON_HANGUP: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();
static SEEN: AtomicBool = AtomicBool::new(false);

/// Installs the handlers. Called once per process; the function of a second call is ignored.
///
/// # Errors
/// The kernel refuses, which it does only for signals that do not exist.
pub(crate) fn install(reaction: Reaction) -> io::Result<()> {
    let handler = match reaction {
        Reaction::Call(function) => {
            let _ = FUNCTION.set(function);
            call as extern "C" fn(libc::c_int) as libc::sighandler_t
        }
        Reaction::Exit => exit as extern "C" fn(libc::c_int) as libc::sighandler_t,
        Reaction::Ignore => libc::SIG_IGN,
    };
    handle(libc::SIGTERM, handler)?;
    handle(libc::SIGINT, handler)
}

/// Calls the function, which must be async-signal-safe (signal-safety(7)), on each SIGHUP. Called once per process.
///
/// # Errors
/// As for [`install`].
pub(crate) fn on_hangup(function: Box<dyn Fn() + Send + Sync>) -> io::Result<()> {
    let _ = ON_HANGUP.set(function);
    let handler = hang_up as extern "C" fn(libc::c_int) as libc::sighandler_t;
    handle(libc::SIGHUP, handler)
}

fn handle(signal: libc::c_int, handler: libc::sighandler_t) -> io::Result<()> {
    // SAFETY: all zeros is a valid `sigaction`: an empty mask and no flags.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the handlers below do only what signal-safety(7) allows: atomic operations,
    // _exit(2) and the functions, which promise the same. `OnceLock::get` is an atomic load,
    // and the value is set before the handler is installed.
    let result = unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

extern "C" fn hang_up(_signal: libc::c_int) {
    if let Some(function) = ON_HANGUP.get() {
        function();
    }
}

extern "C" fn call(signal: libc::c_int) {
    if SEEN.swap(true, Ordering::SeqCst) {
        // SAFETY: _exit(2) ends the process without running any of its code.
        unsafe { libc::_exit(128 + signal) };
    }
    if let Some(function) = FUNCTION.get() {
        function();
    }
}

extern "C" fn exit(_signal: libc::c_int) {
    // SAFETY: _exit(2) ends the process without running any of its code.
    unsafe { libc::_exit(0) };
}
