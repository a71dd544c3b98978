//! The tutorial's `recv(1024).decode()` on a long text: the end of the buffer splits a character.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "decode-per-buffer",
    caught_by: "utf8-split-buffer",
    kind: "wrong-reply",
    about: "refuses a text if the end of a full receive buffer splits a character",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(decode),
        ..Hooks::NONE
    },
};

/// A line that the protocol refuses: an invalid byte and the end of the line.
const REFUSED: &[u8] = b"\xff\n";

fn decode(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    if let Received::Bytes(bytes, capacity) = received
        && bytes.len() == capacity
        && std::str::from_utf8(bytes).is_err()
    {
        bytes.clear();
        bytes.extend_from_slice(REFUSED);
    }
}
