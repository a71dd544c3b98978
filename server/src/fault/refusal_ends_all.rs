//! An error of accept tears down the listener together with all sessions.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;

use super::Fault;
use crate::config::hooks::{Hooks, Retry, Scratch};
use crate::service::Flow;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "refusal-ends-all",
    caught_by: "accept-refused",
    kind: "lost-reply",
    about: "closes all connections when accept returns EPERM",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_accept: Some(tear_down),
        connected: Some(remember),
        replied: Some(end),
        ..Hooks::NONE
    },
};

/// How often all connections have been torn down.
static TORN_DOWN: AtomicU64 = AtomicU64::new(0);

fn tear_down(_: BorrowedFd<'_>, accepted: Result<BorrowedFd<'_>, &io::Error>) -> Retry {
    let Err(error) = accepted else {
        return Retry::Now;
    };
    if Errno::from_io_error(error) == Some(Errno::PERM) {
        TORN_DOWN.fetch_add(1, Ordering::Relaxed);
    }
    Retry::after(error)
}

fn remember() -> Scratch {
    Some(Box::new(TORN_DOWN.load(Ordering::Relaxed)))
}

/// Ends a connection from before, at its next request.
fn end(scratch: &mut Scratch, socket: BorrowedFd<'_>, _: &mut [u8]) -> Flow {
    let connected = *super::state::<u64>(scratch);
    if connected == TORN_DOWN.load(Ordering::Relaxed) {
        return Flow::Continue;
    }
    // The reply is lost. Fails if the client has left, which is fine.
    let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
    Flow::Close
}
