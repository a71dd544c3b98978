//! The oldest mistake with TCP: it is a byte stream, and a segment is not a message.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "recv-is-message",
    caught_by: "split-bytewise",
    kind: "wrong-reply",
    about: "treats each recv as a whole line",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(end_line),
        ..Hooks::NONE
    },
};

fn end_line(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    if let Received::Bytes(bytes, _) = received
        && bytes.last() != Some(&b'\n')
    {
        bytes.push(b'\n');
    }
}
