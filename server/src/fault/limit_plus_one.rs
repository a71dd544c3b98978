//! The limit is compared with `<=` instead of `<`.

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Config, Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "limit-plus-one",
    caught_by: "at-limit",
    kind: "accepted",
    about: "accepts a request of one byte more than the limit",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        configure: Some(raise),
        ..Hooks::NONE
    },
};

fn raise(config: &mut Config) {
    config.max_message += 1;
}
