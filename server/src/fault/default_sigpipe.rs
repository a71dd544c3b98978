//! The first write after a reset fails with ECONNRESET, the next one with EPIPE and SIGPIPE (iperf#550).

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use socket2::Socket;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::service::Flow;
use crate::sys::sigpipe;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "default-sigpipe",
    caught_by: "rst-mid-reply",
    kind: "died",
    about: "keeps the default action of SIGPIPE, so that a write after a reset kills the process",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        before_listen: Some(default_sigpipe),
        after_read: Some(send_error),
        before_write: Some(write),
        ..Hooks::NONE
    },
};

fn default_sigpipe(_socket: &Socket) {
    sigpipe::restore_default();
}

/// After a reset, sends an error message to a client that has been answered before.
fn send_error(scratch: &mut Scratch, socket: BorrowedFd<'_>, received: Received<'_>) {
    let answered = super::state::<bool>(scratch);
    match received {
        Received::Bytes(bytes, _) => *answered |= bytes.contains(&b'\n'),
        Received::Error(_) if *answered => drop(rustix::io::write(socket, b"ERR\n")),
        Received::Error(_) | Received::Eof => {}
    }
}

/// Uses write(2), because std's send(2) sets MSG_NOSIGNAL. Like many programs, it ignores the first
/// error and continues with the next part of the reply.
fn write(socket: BorrowedFd<'_>, out: &mut Vec<u8>) -> Flow {
    match rustix::io::write(socket, out) {
        Ok(count) => drop(out.drain(..count)),
        Err(Errno::CONNRESET) => drop(rustix::io::write(socket, out)),
        Err(_) => {}
    }
    Flow::Continue
}
