//! Counts places from one: the last one is never given to a client.

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "place-short",
    caught_by: "limits-hold",
    kind: "refused",
    about: "serves one client fewer at the same time than it is set to",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        admits: Some(|served, served_max| served + 1 < served_max),
        ..Hooks::NONE
    },
};
