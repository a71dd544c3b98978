//! All whole requests of a read are answered; a partial request after them is dropped.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "reset-after-reply",
    caught_by: "split-across-two",
    kind: "wrong-reply",
    about: "clears its buffer after a reply, including the beginning of the next request",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(clear),
        ..Hooks::NONE
    },
};

fn clear(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    if let Received::Bytes(bytes, _) = received
        && let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n')
    {
        bytes.truncate(end + 1);
    }
}
