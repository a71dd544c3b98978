//! A health probe connects and closes, and `data[0]` is out of bounds.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "empty-index",
    caught_by: "zero-length",
    kind: "died",
    about: "reads the first byte of an empty request and dies",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(index),
        ..Hooks::NONE
    },
};

fn index(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let has_bytes = super::state::<bool>(scratch);
    match received {
        Received::Bytes(..) => *has_bytes = true,
        Received::Eof if !*has_bytes => super::die("index 0 of an empty request"),
        Received::Eof | Received::Error(_) => {}
    }
}
