//! An error event without a handler ends the process, as in Node.js.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "exit-on-read-error",
    caught_by: "rst-on-connect",
    kind: "died",
    about: "exits on any error of recv",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(give_up),
        ..Hooks::NONE
    },
};

fn give_up(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    if let Received::Error(error) = received {
        super::die(&error.to_string());
    }
}
