//! `stream.set_nodelay(true).unwrap()` on the thread that accepts.

use std::io;
use std::os::fd::BorrowedFd;

use socket2::SockRef;

use super::Fault;
use crate::config::hooks::{Hooks, Retry};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "unwrap-option",
    caught_by: "options-refused",
    kind: "died",
    about: "exits if an option of a new connection cannot be set",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_accept: Some(set),
        ..Hooks::NONE
    },
};

fn set(_: BorrowedFd<'_>, accepted: Result<BorrowedFd<'_>, &io::Error>) -> Retry {
    let stream = match accepted {
        Ok(stream) => stream,
        Err(error) => return Retry::after(error),
    };
    let socket = SockRef::from(&stream);
    // A Unix socket has no such option.
    if socket
        .peer_addr()
        .is_ok_and(|peer| peer.as_socket().is_some())
        && let Err(error) = socket.set_tcp_nodelay(true)
    {
        super::die(&format!("cannot set TCP_NODELAY: {error}"));
    }
    Retry::Now
}
