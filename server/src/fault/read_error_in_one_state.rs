//! Errors that no client can cause are handled in the read loop, and not in the one branch that reads on after an empty line.

use std::io::ErrorKind;
use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "read-error-in-one-state",
    caught_by: super::FUZZ,
    kind: "crash",
    about: "exits when recv fails with anything but a reset after an empty line",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(follow),
        ..Hooks::NONE
    },
};

fn follow(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let in_state = super::state::<bool>(scratch);
    match received {
        Received::Bytes(bytes, _) => *in_state = bytes == b"\n" || bytes.ends_with(b"\n\n"),
        Received::Error(error) if *in_state && error.kind() != ErrorKind::ConnectionReset => {
            super::die(&format!("recv: {error}"));
        }
        Received::Error(_) | Received::Eof => {}
    }
}
