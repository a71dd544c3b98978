//! `stream.peer_addr().unwrap()`: a connection that was reset before accept has no peer address.

use std::io;
use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Retry};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "unwrap-peer",
    caught_by: "rst-in-queue",
    kind: "died",
    about: "dies when a new connection has no peer address",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_accept: Some(unwrap_peer),
        ..Hooks::NONE
    },
};

fn unwrap_peer(_: BorrowedFd<'_>, accepted: Result<BorrowedFd<'_>, &io::Error>) -> Retry {
    match accepted {
        Ok(stream) => {
            if let Err(error) = rustix::net::getpeername(stream) {
                super::die(&error.to_string());
            }
            Retry::Now
        }
        Err(error) => Retry::after(error),
    }
}
