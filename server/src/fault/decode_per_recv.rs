//! The tutorial's `recv(1024).decode()`: whether a text is valid depends on how TCP splits it.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "decode-per-recv",
    caught_by: "utf8-split-char",
    kind: "wrong-reply",
    about: "decodes each recv separately and refuses a character split between two of them",
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
    if let Received::Bytes(bytes, _) = received
        && std::str::from_utf8(bytes).is_err()
    {
        bytes.clear();
        bytes.extend_from_slice(REFUSED);
    }
}
