//! No back-pressure: it reads on as if its replies were taken (asyncio's write without drain).

use super::Fault;
use crate::hooks::Hooks;
use crate::{Config, Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "unbounded-write-queue",
    caught_by: "never-read",
    kind: "growth",
    about: "queues replies without bound for a peer that does not read",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        configure: Some(no_bound),
        ..Hooks::NONE
    },
};

fn no_bound(config: &mut Config) {
    config.write_bound = usize::MAX;
}
