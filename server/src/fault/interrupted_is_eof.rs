//! EINTR is treated like the end of the connection.

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "interrupted-is-eof",
    caught_by: "interrupted",
    kind: "lost-reply",
    about: "closes the connection when a signal interrupts the wait for a request",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        ends_when_interrupted: true,
        ..Hooks::NONE
    },
};
