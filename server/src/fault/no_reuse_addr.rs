//! The lesson of the tutorial: a server that closes first leaves connections in TIME_WAIT, and without
//! SO_REUSEADDR its port cannot be bound again for a minute. This fault uses the tutorial's protocol,
//! in which the server closes first.

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Config, Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "no-reuse-addr",
    caught_by: "restart-timewait",
    kind: "no-restart",
    about: "does not set SO_REUSEADDR, so that TIME_WAIT blocks the port",
    protocol: Protocol::Tutorial,
    model: Model::Threads,
    hooks: Hooks {
        configure: Some(forget),
        ..Hooks::NONE
    },
};

fn forget(config: &mut Config) {
    config.reuse_addr = false;
}
