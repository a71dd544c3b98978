//! There is no backpressure: the server keeps reading although its replies are not taken (asyncio's write
//! without drain).

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Config, Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "unbounded-write-queue",
    caught_by: "never-read",
    kind: "growth",
    about: "queues replies without limit for a client that does not read",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        configure: Some(no_bound),
        ..Hooks::NONE
    },
};

pub(super) fn no_bound(config: &mut Config) {
    config.write_bound = usize::MAX;
}
