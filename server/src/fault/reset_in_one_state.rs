//! A reset is handled where the author tried it, and not in one state of the conversation.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "reset-in-one-state",
    caught_by: "prefix-abort",
    kind: "died",
    about: "dies when a connection is reset after the answer to a line of several words",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(follow),
        ..Hooks::NONE
    },
};

fn follow(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let in_state = super::state::<bool>(scratch);
    match received {
        Received::Bytes(bytes, _) => {
            *in_state = bytes.last() == Some(&b'\n') && bytes.contains(&b' ');
        }
        Received::Error(error) if *in_state => super::die(&error.to_string()),
        Received::Error(_) | Received::Eof => {}
    }
}
