//! The tutorial as it is written: accept is called once.

use std::process;

use super::Fault;
use crate::hooks::{Hooks, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "one-shot",
    caught_by: "serves-again",
    kind: "died",
    about: "serves one client, closes the listener and exits with code 0",
    protocol: Protocol::Tutorial,
    model: Model::Sequential,
    hooks: Hooks {
        connected: Some(last_words),
        ..Hooks::NONE
    },
};

/// Ends the process with the connection.
struct Farewell;

impl Drop for Farewell {
    fn drop(&mut self) {
        process::exit(0);
    }
}

fn last_words() -> Scratch {
    Some(Box::new(Farewell))
}
