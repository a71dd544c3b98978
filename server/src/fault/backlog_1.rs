//! A burst of clients fills the accept queue. The kernel drops further SYNs, and their clients retry
//! after 1 s or more.

use std::os::fd::BorrowedFd;
use std::time::Duration;
use std::{io, thread};

use super::Fault;
use crate::config::hooks::{Hooks, Retry};
use crate::{Config, Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "backlog-1",
    caught_by: "backlog-burst",
    kind: "blocked",
    about: "listens with a backlog of 1 and takes 20 ms per accept",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        configure: Some(short_queue),
        after_accept: Some(dawdle),
        ..Hooks::NONE
    },
};

/// Duration of an accept. With a faster one the queue empties before the next attempt to connect.
const PAUSE: Duration = Duration::from_millis(20);

fn short_queue(config: &mut Config) {
    config.backlog = 1;
}

fn dawdle(_: BorrowedFd<'_>, accepted: Result<BorrowedFd<'_>, &io::Error>) -> Retry {
    thread::sleep(PAUSE);
    accepted.err().map_or(Retry::Now, Retry::after)
}
