//! Any of CR, LF and CR LF ends a line, as in text files of all ages.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "lone-cr-ends-line",
    caught_by: "eol-variants",
    kind: "accepted",
    about: "takes a lone CR for the end of a line",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(end_lines),
        ..Hooks::NONE
    },
};

fn end_lines(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    for place in 0..bytes.len() {
        if bytes[place] == b'\r' && bytes.get(place + 1) != Some(&b'\n') {
            bytes[place] = b'\n';
        }
    }
}
