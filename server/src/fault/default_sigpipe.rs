//! The first write after a reset fails with ECONNRESET, the next with EPIPE and the signal
//! (iperf#550).

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use socket2::Socket;

use super::Fault;
use crate::hooks::{Hooks, Received, Scratch};
use crate::service::Flow;
use crate::sys::sigpipe;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "default-sigpipe",
    caught_by: "rst-mid-reply",
    kind: "died",
    about: "leaves SIGPIPE at its default, so that a write after a reset kills it",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        before_listen: Some(default_sigpipe),
        after_read: Some(say_farewell),
        before_write: Some(write),
        ..Hooks::NONE
    },
};

fn default_sigpipe(_socket: &Socket) {
    sigpipe::kill();
}

/// After a reset, a client that was being answered is told that there was an error.
fn say_farewell(scratch: &mut Scratch, socket: BorrowedFd<'_>, received: Received<'_>) {
    let answered = super::state::<bool>(scratch);
    match received {
        Received::Bytes(bytes, _) => *answered |= bytes.contains(&b'\n'),
        Received::Error(_) if *answered => drop(rustix::io::write(socket, b"ERR\n")),
        Received::Error(_) | Received::Eof => {}
    }
}

/// send(2) as std calls it has MSG_NOSIGNAL; write(2) has no such flag. As many programs do, it
/// logs the first error and goes on to the next part of the reply.
fn write(socket: BorrowedFd<'_>, out: &mut Vec<u8>) -> Flow {
    match rustix::io::write(socket, out) {
        Ok(count) => drop(out.drain(..count)),
        Err(Errno::CONNRESET) => drop(rustix::io::write(socket, out)),
        Err(_) => {}
    }
    Flow::Continue
}
