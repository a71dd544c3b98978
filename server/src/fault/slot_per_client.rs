//! A slot is taken for each connection and never given back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::Fault;
use crate::config::hooks::{Hooks, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "slot-per-client",
    caught_by: "churn",
    kind: "leak",
    about: "has 500 slots and loses one with each connection",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        connected: Some(take),
        ..Hooks::NONE
    },
};

/// Number of slots.
const SLOTS: usize = 500;

static TAKEN: AtomicUsize = AtomicUsize::new(0);

fn take() -> Scratch {
    if TAKEN.fetch_add(1, Ordering::Relaxed) >= SLOTS {
        // Waits for a slot that nobody gives back.
        loop {
            thread::park();
        }
    }
    None
}
