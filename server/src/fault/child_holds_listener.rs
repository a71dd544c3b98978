//! A child outlives the server and still holds its listening socket (ncat -k): the port stays taken, and
//! clients that connect to it wait forever.

use std::io;
use std::os::fd::BorrowedFd;
use std::process::Command;
use std::sync::Once;

use rustix::io::{FdFlags, fcntl_setfd};

use super::Fault;
use crate::config::hooks::{Hooks, Retry};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "child-holds-listener",
    caught_by: "restart-orphan",
    kind: "no-restart",
    about: "starts a child that inherits the listener, on the first connection",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_accept: Some(start_child),
        ..Hooks::NONE
    },
};

static STARTED: Once = Once::new();

fn start_child(listener: BorrowedFd<'_>, accepted: Result<BorrowedFd<'_>, &io::Error>) -> Retry {
    if accepted.is_ok() {
        STARTED.call_once(|| {
            super::or_die(fcntl_setfd(listener, FdFlags::empty()), "clear FD_CLOEXEC");
            super::long_sleep(&mut Command::new("sleep"));
        });
    }
    accepted.err().map_or(Retry::Now, Retry::after)
}
