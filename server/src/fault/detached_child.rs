//! A child that no signal to the server or its process group reaches.

use std::process::Command;

use socket2::Socket;

use super::Fault;
use crate::config::hooks::Hooks;
use crate::sys::session::detach;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "detached-child",
    caught_by: "no-orphans",
    kind: "orphans",
    about: "starts a child in its own session, which outlives the server",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        before_listen: Some(start_child),
        ..Hooks::NONE
    },
};

fn start_child(_socket: &Socket) {
    super::long_sleep(detach(&mut Command::new("sleep")));
}
