//! Only the errors that clients cause are expected of recv.

use std::io::ErrorKind;
use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "exit-on-rare-read-error",
    caught_by: "recv-error",
    kind: "died",
    about: "exits when recv fails with anything but a reset",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(give_up),
        ..Hooks::NONE
    },
};

fn give_up(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    if let Received::Error(error) = received
        && error.kind() != ErrorKind::ConnectionReset
    {
        super::die(&format!("recv: {error}"));
    }
}
