//! A reply larger than the room in the socket's buffer arrives in part.

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::net::SendFlags;

use super::Fault;
use crate::hooks::Hooks;
use crate::service::Flow;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "short-send",
    caught_by: "big-reply",
    kind: "wrong-reply",
    about: "ignores what send returns: what the kernel did not take is lost",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        before_write: Some(send_once),
        ..Hooks::NONE
    },
};

fn send_once(socket: BorrowedFd<'_>, out: &mut Vec<u8>) -> Flow {
    // Whatever it returns; only where nothing was taken it waits, so that others follow what is lost.
    if rustix::net::send(socket, out, SendFlags::NOSIGNAL) != Err(Errno::AGAIN) {
        out.clear();
    }
    Flow::Continue
}
