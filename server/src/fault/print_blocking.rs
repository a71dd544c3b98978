//! If nobody reads stdout, its pipe fills up and the next print blocks the server.

use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::escape::Escaped;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "print-blocking",
    caught_by: "stdout-blocked",
    kind: "blocked",
    about: "prints each request to a stdout that may block",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(print),
        ..Hooks::NONE
    },
};

fn print(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    if let Received::Bytes(bytes, _) = received {
        let mut stdout = io::stdout().lock();
        // Like most programs, it ignores errors of print.
        let _ = writeln!(
            stdout,
            "received {}: {}",
            bytes.len(),
            Escaped::new(bytes, 1_024)
        );
        let _ = stdout.flush();
    }
}
