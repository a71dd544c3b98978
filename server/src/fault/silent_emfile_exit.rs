//! The limit on descriptors is too low, and there is no message.

use std::fs::File;
use std::process;

use socket2::Socket;

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "silent-emfile-exit",
    caught_by: "emfile-start",
    kind: "silent",
    about: "exits without a message if it cannot open 64 descriptors at start",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        before_listen: Some(reserve),
        ..Hooks::NONE
    },
};

/// Number of descriptors opened at start.
const NEEDED: usize = 64;

fn reserve(_socket: &Socket) {
    let files: Result<Vec<_>, _> = (0..NEEDED).map(|_| File::open("/dev/null")).collect();
    if files.is_err() {
        process::exit(1);
    }
}
