//! The first write after a reset fails with ECONNRESET, the next one with EPIPE and SIGPIPE (iperf#550).

use std::io::ErrorKind;
use std::os::fd::BorrowedFd;

use socket2::Socket;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::service::Flow;
use crate::sys::sigpipe;
use crate::transport::Transport;
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

/// Like many programs, ignores the first error and continues with the next part of the reply. Where
/// send(2) fails with EPIPE, write(2) raises SIGPIPE.
fn write(transport: &mut dyn Transport, out: &mut Vec<u8>) -> Flow {
    let mut sent = transport.try_write(out);
    if matches!(&sent, Err(error) if error.kind() == ErrorKind::ConnectionReset) {
        sent = transport.try_write(out);
    }
    match sent {
        Ok(count) => drop(out.drain(..count)),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            let _ = rustix::io::write(transport.descriptor(), out);
        }
        Err(_) => {}
    }
    Flow::Continue
}
