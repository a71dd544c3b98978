//! A half-close taken for a hang-up (nmap#2510). It waits a little for the FIN before each reply,
//! so that the order in which it runs against the client does not matter.

use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Fault;
use crate::hooks::Hooks;
use crate::service::Flow;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "close-on-fin",
    caught_by: "fin-after-request",
    kind: "lost-reply",
    about: "closes on the client's FIN and drops the reply",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        before_write: Some(look_for_fin),
        ..Hooks::NONE
    },
};

/// The FIN of a client that closes right after its request arrives within this time.
const PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

fn look_for_fin(socket: BorrowedFd<'_>, out: &mut Vec<u8>) -> Flow {
    let mut fds = [PollFd::from_borrowed_fd(socket, PollFlags::RDHUP)];
    if matches!(poll(&mut fds, Some(&PATIENCE)), Ok(1..)) {
        out.clear();
        return Flow::Close;
    }
    Flow::Continue
}
