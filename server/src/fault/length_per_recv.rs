//! The server expects a length field to arrive in one piece.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "length-per-recv",
    caught_by: "split-delimiter",
    kind: "lost-reply",
    about: "drops the first bytes of a length field that is split between two reads",
    protocol: Protocol::Frame,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(forget),
        ..Hooks::NONE
    },
};

/// Size of the length field in bytes.
const LENGTH: usize = 4;

/// A client that waits for each reply starts every frame with a new read, so a read that is shorter
/// than the length field is the beginning of one.
fn forget(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    let inside = super::state::<bool>(scratch);
    if !*inside && bytes.len() < LENGTH {
        bytes.clear();
        *inside = true;
    }
}
