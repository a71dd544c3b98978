//! A refused connection is counted like a served one, and never given back.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "refusal-keeps-place",
    caught_by: "conn-limit",
    kind: "leak",
    about: "has a place less after each connection that it refused",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        admits: Some(admits),
        ..Hooks::NONE
    },
};

static LOST: AtomicUsize = AtomicUsize::new(0);

fn admits(served: usize, served_max: usize) -> bool {
    let room = served + LOST.load(Ordering::Relaxed) < served_max;
    if !room {
        LOST.fetch_add(1, Ordering::Relaxed);
    }
    room
}
