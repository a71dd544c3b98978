//! The error path returns before close.

use std::mem;
use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "fd-leak-on-reset",
    caught_by: "fd-leak",
    kind: "leak",
    about: "never closes the descriptor of a reset connection",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(leak),
        ..Hooks::NONE
    },
};

fn leak(_: &mut Scratch, socket: BorrowedFd<'_>, received: Received<'_>) {
    if matches!(received, Received::Error(_))
        && let Ok(copy) = socket.try_clone_to_owned()
    {
        mem::forget(copy);
    }
}
