//! A silent client blocks all others.

use super::Fault;
use super::turnstile::Turnstile;
use crate::config::hooks::{Hooks, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "one-at-a-time",
    caught_by: "hol-idle",
    kind: "blocked",
    about: "has threads, but a lock that only one connection can hold",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        connected: Some(wait_for_turn),
        ..Hooks::NONE
    },
};

static TURNS: Turnstile = Turnstile::new(1);

fn wait_for_turn() -> Scratch {
    Some(Box::new(TURNS.pass()))
}
