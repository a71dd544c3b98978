//! A socket at end of file is always readable: a server that does not close it never sleeps again.

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::net::RecvFlags;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "eof-spin",
    caught_by: "spin-after-eof",
    kind: "spin",
    about: "polls a connection in a busy loop after its FIN and never closes it",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(spin),
        ..Hooks::NONE
    },
};

fn spin(_: &mut Scratch, socket: BorrowedFd<'_>, received: Received<'_>) {
    if matches!(received, Received::Eof) {
        let mut byte = [0_u8];
        // Over TLS, a close_notify may arrive before the FIN.
        while matches!(
            rustix::net::recv(socket, &mut byte, RecvFlags::PEEK),
            Ok((_, 0)) | Err(Errno::AGAIN)
        ) {}
    }
}
