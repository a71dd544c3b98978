//! A read is taken to return all that is there, so a single byte is taken for a keep-alive.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "drops-short-read",
    caught_by: "short-read",
    kind: "lost-reply",
    about: "drops a byte that a read returns alone though more bytes are there",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(drop_alone),
        ..Hooks::NONE
    },
};

fn drop_alone(_: &mut Scratch, socket: BorrowedFd<'_>, received: Received<'_>) {
    if let Received::Bytes(bytes, _) = received
        && bytes.len() == 1
        && rustix::io::ioctl_fionread(socket).is_ok_and(|more| more > 0)
    {
        bytes.clear();
    }
}
