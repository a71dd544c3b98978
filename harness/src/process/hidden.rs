//! What a program that contains tcprove does instead of its own work if its first argument is a hidden one.

use rustix::process::Signal;

use super::acceptor::{ACCEPT, accept};
use super::injector::{KEEP, keep};
use super::login::{LOG_IN, log_in};
use super::reference::{REFERENCE, reference};
use super::supervisor::{SUPERVISE, supervise};
use crate::sys::ignore;

/// Runs this process as the supervisor, the acceptor or the keeper of a server, as the host of logins, or as the reference
/// server, if its arguments say so; otherwise returns.
///
/// Every program that contains tcprove does this before `main`, where the C library passes the arguments to functions that
/// run so early (glibc does). Elsewhere `main` must call it before it starts any thread.
pub fn run_hidden() {
    let mut arguments = std::env::args_os().skip(1);
    let Some(first) = arguments.next() else {
        return;
    };
    let mode: fn(std::iter::Skip<std::env::ArgsOs>) -> ! = match first.to_str() {
        Some(SUPERVISE) => |arguments| supervise(arguments),
        Some(ACCEPT) => |arguments| accept(arguments),
        Some(KEEP) => |arguments| keep(arguments),
        Some(LOG_IN) => |arguments| log_in(arguments),
        Some(REFERENCE) => |arguments| reference(arguments),
        _ => return,
    };
    // As the standard library does before `main`.
    ignore(&[Signal::PIPE]);
    mode(arguments)
}
