//! Only SIGKILL ends the process.

use super::Fault;
use crate::config::hooks::{Hooks, OnSignal};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "ignore-term",
    caught_by: "term-idle",
    kind: "ignored-stop",
    about: "ignores the stop signal",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        on_signal: OnSignal::Ignore,
        ..Hooks::NONE
    },
};
