//! There is no drain: every rolling restart loses replies.

use super::Fault;
use crate::config::hooks::{Hooks, OnSignal};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "exit-at-once",
    caught_by: "term-inflight",
    kind: "lost-reply",
    about: "exits on the stop signal and drops the requests in flight",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        on_signal: OnSignal::Exit,
        ..Hooks::NONE
    },
};
