//! Connections above the limit are accepted and left without an answer until others leave.

use super::Fault;
use super::turnstile::Turnstile;
use crate::config::hooks::{Hooks, Scratch};
use crate::{Config, Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "waits-above-limit",
    caught_by: "conn-limit",
    kind: "blocked",
    about: "serves at most 10 connections; accepts further ones and keeps them waiting",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        configure: Some(accept_all),
        connected: Some(wait_for_turn),
        ..Hooks::NONE
    },
};

static TURNS: Turnstile = Turnstile::new(10);

fn accept_all(config: &mut Config) {
    config.max_connections = usize::MAX;
}

fn wait_for_turn() -> Scratch {
    Some(Box::new(TURNS.pass()))
}
