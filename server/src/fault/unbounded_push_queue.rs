//! What is sent to a client without a request is queued, whether the client reads or not.

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "unbounded-push-queue",
    caught_by: "silent-reader",
    kind: "growth",
    about: "queues messages without limit for a client that does not read (shows with --push)",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        configure: Some(super::unbounded_write_queue::no_bound),
        ..Hooks::NONE
    },
};
