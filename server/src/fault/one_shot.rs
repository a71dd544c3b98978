//! The tutorial as written: accept is called once.

use std::process;

use super::Fault;
use crate::config::hooks::{Hooks, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "one-shot",
    caught_by: "serves-again",
    kind: "died",
    about: "serves one client, closes the listener and exits with code 0",
    protocol: Protocol::Tutorial,
    model: Model::Sequential,
    hooks: Hooks {
        connected: Some(exit_with_connection),
        ..Hooks::NONE
    },
};

/// Ends the process when the connection ends.
struct ExitOnDrop;

impl Drop for ExitOnDrop {
    fn drop(&mut self) {
        process::exit(0);
    }
}

fn exit_with_connection() -> Scratch {
    Some(Box::new(ExitOnDrop))
}
