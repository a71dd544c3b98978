//! Without a free descriptor, `accept` fails for as long as a client waits; `continue` after the error
//! is a busy loop (redis).

use std::io;
use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Retry};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "accept-error-spin",
    caught_by: "emfile-live",
    kind: "spin",
    about: "calls accept again immediately after any error",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_accept: Some(go_on),
        ..Hooks::NONE
    },
};

fn go_on(_: BorrowedFd<'_>, _: Result<BorrowedFd<'_>, &io::Error>) -> Retry {
    Retry::Now
}
