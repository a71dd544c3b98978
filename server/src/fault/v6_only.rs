//! On many systems a socket bound to :: takes IPv4 clients only if it is told to.

use socket2::Socket;

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "v6-only",
    caught_by: "dual-stack",
    kind: "refused",
    about: "ignores IPv4 clients in spite of --dual-stack",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        before_listen: Some(only_v6),
        ..Hooks::NONE
    },
};

fn only_v6(socket: &Socket) {
    // Fails on an IPv4 socket, which has no such option.
    let _ = socket.set_only_v6(true);
}
