//! The error of a connection is logged in a loop, each time with all that led to it.

use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "logs-traceback",
    caught_by: "log-flood",
    kind: "log-flood",
    about: "prints 1 MB to stderr for each connection that is reset",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(log),
        ..Hooks::NONE
    },
};

/// Number of lines, of 100 bytes each.
const LINES: usize = 10_000;

fn log(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    if let Received::Error(error) = received {
        let mut text = format!("error: cannot read: {error}");
        text.truncate(99);
        let lines = format!("{text:<99}\n").repeat(LINES);
        // Like most programs, it ignores errors of its log.
        let _ = io::stderr().lock().write_all(lines.as_bytes());
    }
}
