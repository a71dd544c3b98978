//! Two instances listen on one port without an error, and each gets some of the connections (haproxy#629).

use socket2::Socket;

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "reuse-port",
    caught_by: "second-instance",
    kind: "double-start",
    about: "sets SO_REUSEPORT, so that a second instance starts too",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        before_listen: Some(share),
        ..Hooks::NONE
    },
};

fn share(socket: &Socket) {
    super::or_die(socket.set_reuse_port(true), "set SO_REUSEPORT");
}
