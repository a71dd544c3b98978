//! A helper thread for each connection, and a main thread that cannot do without.

use std::os::fd::BorrowedFd;
use std::{io, thread};

use super::Fault;
use crate::config::hooks::{Hooks, Retry};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "unwrap-spawn",
    caught_by: "nproc-live",
    kind: "died",
    about: "exits if it cannot start a thread for a connection",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_accept: Some(start),
        ..Hooks::NONE
    },
};

pub(super) fn start(_: BorrowedFd<'_>, accepted: Result<BorrowedFd<'_>, &io::Error>) -> Retry {
    if let Err(error) = thread::Builder::new().spawn(|| {}) {
        super::die(&format!("cannot start a thread: {error}"));
    }
    accepted.err().map_or(Retry::Now, Retry::after)
}
