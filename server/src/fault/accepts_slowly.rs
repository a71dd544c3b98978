//! A main loop that accepts one connection each time that it wakes up, once a second.

use std::os::fd::BorrowedFd;
use std::time::Duration;
use std::{io, thread};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Fault;
use crate::config::hooks::{Hooks, Retry};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "accepts-slowly",
    caught_by: "herd",
    kind: "blocked",
    about: "accepts one connection per second when many wait",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_accept: Some(dawdle),
        ..Hooks::NONE
    },
};

/// Pause after a connection that did not come alone.
const PAUSE: Duration = Duration::from_secs(1);
/// A connection comes alone if no other one follows within this time.
const ALONE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 5_000_000,
};

fn dawdle(listener: BorrowedFd<'_>, accepted: Result<BorrowedFd<'_>, &io::Error>) -> Retry {
    let mut waiting = [PollFd::new(&listener, PollFlags::IN)];
    if poll(&mut waiting, Some(&ALONE)).is_ok_and(|ready| ready > 0) {
        thread::sleep(PAUSE);
    }
    accepted.err().map_or(Retry::Now, Retry::after)
}
