//! A watchdog takes a slow machine for a loop that hangs.

use std::time::Duration;

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "accept-watchdog",
    caught_by: "slow-accept",
    kind: "died",
    about: "exits when accept takes more than 100 ms",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        accept_took: Some(watch),
        ..Hooks::NONE
    },
};

/// Maximum duration of an accept.
const LIMIT: Duration = Duration::from_millis(100);

fn watch(took: Duration) {
    if took > LIMIT {
        super::die(&format!("watchdog: accept took {took:?}"));
    }
}
