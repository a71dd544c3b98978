//! A parser loses its state in one of its states: only splits at every offset find it.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "offset-state-lost",
    caught_by: "split-each-offset",
    kind: "wrong-reply",
    about: "drops what it has read if a read ends after byte 5 of a request",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(forget),
        ..Hooks::NONE
    },
};

/// Offset in a request, in bytes, at which the end of a read loses the state.
const OFFSET: usize = 5;

fn forget(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    let so_far = super::state::<usize>(scratch);
    match bytes.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => *so_far = bytes.len() - end - 1,
        None => *so_far += bytes.len(),
    }
    if *so_far == OFFSET {
        bytes.truncate(bytes.len().saturating_sub(OFFSET));
    }
}
