//! An error of one connection that accept reports ends the server (EternalTerminal#756, hickory-dns#3725).

use std::io;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use super::Fault;
use crate::config::hooks::{Hooks, Retry};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "aborted-accept-ends",
    caught_by: "accept-aborted",
    kind: "died",
    about: "exits when accept returns ECONNABORTED or EPROTO",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_accept: Some(give_up),
        ..Hooks::NONE
    },
};

fn give_up(_: BorrowedFd<'_>, accepted: Result<BorrowedFd<'_>, &io::Error>) -> Retry {
    let Err(error) = accepted else {
        return Retry::Now;
    };
    if let Some(Errno::CONNABORTED | Errno::PROTO) = Errno::from_io_error(error) {
        super::die(&format!("accept: {error}"));
    }
    Retry::after(error)
}
