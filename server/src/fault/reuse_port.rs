//! Two instances on one port: each gets some of the connections, and nobody is told (haproxy#629).

use socket2::Socket;

use super::Fault;
use crate::hooks::Hooks;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "reuse-port",
    caught_by: "second-instance",
    kind: "double-start",
    about: "sets SO_REUSEPORT, so that a second instance starts as well",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        before_listen: Some(share),
        ..Hooks::NONE
    },
};

fn share(socket: &Socket) {
    super::or_abort(socket.set_reuse_port(true), "set SO_REUSEPORT");
}
