//! A helper thread for each connection, and a main thread that cannot do without.

use super::{Fault, unwrap_spawn};
use crate::config::hooks::Hooks;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "needs-thread",
    caught_by: "no-thread",
    kind: "died",
    about: "exits if a thread for a connection cannot be started",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_accept: Some(unwrap_spawn::start),
        ..Hooks::NONE
    },
};
