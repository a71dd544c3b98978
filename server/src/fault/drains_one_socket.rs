//! A loop reads from one socket until nothing is left: a client that always sends keeps all others waiting.

use std::os::fd::BorrowedFd;

use super::Fault;
use super::turnstile::{Permit, Turnstile};
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "drains-one-socket",
    caught_by: "fair-hog",
    kind: "blocked",
    about: "serves one connection for as long as it has more to read, and all others after it",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(drain),
        ..Hooks::NONE
    },
};

/// The connection that is served.
static SERVED: Turnstile = Turnstile::new(1);

fn drain(scratch: &mut Scratch, socket: BorrowedFd<'_>, received: Received<'_>) {
    let turn = super::state::<Option<Permit>>(scratch);
    let has_more = matches!(received, Received::Bytes(..))
        && rustix::io::ioctl_fionread(socket).is_ok_and(|bytes| bytes > 0);
    if turn.is_none() {
        *turn = Some(SERVED.pass());
    }
    if !has_more {
        *turn = None;
    }
}
