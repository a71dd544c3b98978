//! A length field that is expected in one piece.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "length-per-recv",
    caught_by: "split-delimiter",
    kind: "lost-reply",
    about: "forgets the first bytes of a length that a read cuts in two",
    protocol: Protocol::Frame,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(forget),
        ..Hooks::NONE
    },
};

/// Bytes of the length field.
const LENGTH: usize = 4;

/// A client that waits for its reply begins a frame with a read of its own: one that is shorter than
/// the length field can only be its beginning.
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
