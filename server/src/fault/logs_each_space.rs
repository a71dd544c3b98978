//! A parser reports each character that it does not expect, instead of giving up at the first.

use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "logs-each-space",
    caught_by: super::FUZZ,
    kind: "flood",
    about: "prints a line to stderr for each space in a line",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(log),
        ..Hooks::NONE
    },
};

/// What is printed for a space.
const WARNING: &[u8] = b"warning: skip a space where a letter or a digit was expected\n";

fn log(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    super::quadratic_parse::each_line(scratch, received, |line| {
        let spaces = memchr::memchr_iter(b' ', line).count();
        // Like most programs, it ignores errors of its log.
        let _ = io::stderr().lock().write_all(&WARNING.repeat(spaces));
    });
}
