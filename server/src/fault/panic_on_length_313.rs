//! A table that is one entry too short: one length among thousands is not thought of.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "panic-on-length-313",
    caught_by: super::FUZZ,
    kind: "panic",
    about: "the thread of a connection panics on a line of 313 bytes; the server lives",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(measure),
        ..Hooks::NONE
    },
};

const FORGOTTEN: usize = 313;

/// How long the line is so far.
#[derive(Default)]
struct Line {
    length: usize,
    ends_in_return: bool,
}

fn measure(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    let line = super::state::<Line>(scratch);
    for byte in bytes.iter() {
        if *byte == b'\n' {
            let text = line.length - usize::from(line.ends_in_return);
            assert!(text != FORGOTTEN, "no entry for a line of {text} bytes");
            *line = Line::default();
            continue;
        }
        line.length += 1;
        line.ends_in_return = *byte == b'\r';
    }
}
