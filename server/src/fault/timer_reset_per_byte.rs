//! Each byte that arrives starts the idle time-out again, so a client that sends one now and then stays for ever.

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "timer-reset-per-byte",
    caught_by: "slow-write",
    kind: "not-closed",
    about: "starts the idle time-out again with each byte",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        every_byte_is_progress: true,
        ..Hooks::NONE
    },
};
