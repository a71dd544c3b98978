//! A read of 0 bytes is ignored: the connection stays in CLOSE_WAIT forever.

use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, poll};

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "ignore-eof",
    caught_by: "fin-mid-request",
    kind: "leak",
    about: "waits for the rest of a request whose client has closed",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(wait_for_rest),
        ..Hooks::NONE
    },
};

fn wait_for_rest(scratch: &mut Scratch, socket: BorrowedFd<'_>, received: Received<'_>) {
    let in_request = super::state::<bool>(scratch);
    match received {
        Received::Bytes(bytes, _) => *in_request = bytes.last() != Some(&b'\n'),
        Received::Eof if *in_request => {
            // Without requested events, only a reset ends the poll.
            let mut fds = [PollFd::from_borrowed_fd(socket, PollFlags::empty())];
            let _ = poll(&mut fds, None);
        }
        Received::Eof | Received::Error(_) => {}
    }
}
