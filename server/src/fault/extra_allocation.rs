//! A page is allocated, written and freed for every read: the cost of a needless copy.

use std::hint;
use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "extra-allocation",
    caught_by: super::GATE,
    kind: "allocations",
    about: "allocates and frees 4 KiB for every read",
    protocol: Protocol::Line,
    model: Model::Sequential,
    hooks: Hooks {
        after_read: Some(allocate),
        ..Hooks::NONE
    },
};

/// Bytes allocated per read: one page.
const BYTES: usize = 4_096;

fn allocate(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    if let Received::Bytes(bytes, _) = received {
        let written = bytes.first().copied().unwrap_or(0);
        hint::black_box(vec![written; BYTES]);
    }
}
