//! The idle time-out is never armed, so dead clients stay for ever.

use std::time::Duration;

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Config, Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "never-idle",
    caught_by: "idle-timeout",
    kind: "not-closed",
    about: "closes no idle connection",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        configure: Some(wait_for_ever),
        ..Hooks::NONE
    },
};

const FOR_EVER: Duration = Duration::from_secs(24 * 60 * 60);

fn wait_for_ever(config: &mut Config) {
    config.idle_timeout = FOR_EVER;
}
