//! A client that never ends its line exhausts the memory.

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Config, Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "unbounded-message",
    caught_by: "endless-message",
    kind: "growth",
    about: "has no limit on the length of a line and buffers all of it",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        configure: Some(no_limit),
        ..Hooks::NONE
    },
};

fn no_limit(config: &mut Config) {
    config.max_message = usize::MAX;
}
