//! A place is given back at the end of a stream, and forgotten where a read fails.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "reset-keeps-place",
    caught_by: "places-given-back",
    kind: "leak",
    about: "has a place less after each connection that was reset",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        admits: Some(admits),
        after_read: Some(forget),
        ..Hooks::NONE
    },
};

static LOST: AtomicUsize = AtomicUsize::new(0);

fn forget(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    if matches!(received, Received::Error(_)) {
        LOST.fetch_add(1, Ordering::Relaxed);
    }
}

fn admits(served: usize, served_max: usize) -> bool {
    served + LOST.load(Ordering::Relaxed) < served_max
}
