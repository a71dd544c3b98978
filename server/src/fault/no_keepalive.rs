//! Nothing asks whether the peer of an idle connection is still there.

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Config, Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "no-keepalive",
    caught_by: "keepalive",
    kind: "not-closed",
    about: "does not set SO_KEEPALIVE",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        configure: Some(no_probes),
        ..Hooks::NONE
    },
};

fn no_probes(config: &mut Config) {
    config.keepalive = None;
}
