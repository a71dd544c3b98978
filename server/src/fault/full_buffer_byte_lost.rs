//! `recv(buffer, size)` followed by `buffer[size - 1] = 0`, as in C. A line ending is spared, so that there
//! is a reply, and it is wrong.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "full-buffer-byte-lost",
    caught_by: "size-boundaries",
    kind: "wrong-reply",
    about: "loses the last byte of a read that fills its buffer",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(lose),
        ..Hooks::NONE
    },
};

fn lose(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    if let Received::Bytes(bytes, size) = received
        && bytes.len() == size
        && bytes.last() != Some(&b'\n')
    {
        bytes.pop();
    }
}
