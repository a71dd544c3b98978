//! A bounded pool: eight slow clients occupy it.

use super::Fault;
use super::turnstile::Turnstile;
use crate::config::hooks::{Hooks, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "pool-of-8",
    caught_by: "hol-partial",
    kind: "blocked",
    about: "serves at most 8 connections; further ones wait",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        connected: Some(wait_for_turn),
        ..Hooks::NONE
    },
};

static TURNS: Turnstile = Turnstile::new(8);

fn wait_for_turn() -> Scratch {
    Some(Box::new(TURNS.pass()))
}
