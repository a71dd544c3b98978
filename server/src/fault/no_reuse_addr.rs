//! The tutorial's lesson: a server that closes first leaves TIME_WAIT behind, and without
//! SO_REUSEADDR the port cannot be had again for a minute. Its protocol here is the tutorial's, in
//! which the server does close first.

use super::Fault;
use crate::hooks::Hooks;
use crate::{Config, Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "no-reuse-addr",
    caught_by: "restart-timewait",
    kind: "no-restart",
    about: "does not set SO_REUSEADDR, so TIME_WAIT keeps the port",
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
