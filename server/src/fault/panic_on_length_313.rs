//! A table is one entry too short: one length among thousands is missing.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "panic-on-length-313",
    caught_by: super::FUZZ,
    kind: "panic",
    about: "panics in the thread of a connection on a line of 313 bytes; the server survives",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(measure),
        ..Hooks::NONE
    },
};

/// The missing length, in bytes.
const MISSING: usize = 313;

/// The length of the line so far.
#[derive(Default)]
struct LineLength {
    length: usize,
    ends_in_return: bool,
}

fn measure(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    let line = super::state::<LineLength>(scratch);
    for byte in bytes.iter() {
        if *byte == b'\n' {
            let text = line.length - usize::from(line.ends_in_return);
            assert!(text != MISSING, "no entry for a line of {text} bytes");
            *line = LineLength::default();
            continue;
        }
        line.length += 1;
        line.ends_in_return = *byte == b'\r';
    }
}
