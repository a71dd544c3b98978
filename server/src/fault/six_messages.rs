//! A bug behind a login and five exact messages, all of which get the reply of any other line: only a look at what the server
//! executes tells that one of them was right.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "six-messages",
    caught_by: super::FUZZ,
    kind: "crash",
    about: "exits after a login and five exact lines on one connection, each echoed like any other",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(watch),
        ..Hooks::NONE
    },
};

/// Maximum bytes of a line that may be one of the messages.
const LINE_MAX: usize = 16;

/// How far a connection has got.
#[derive(Default)]
struct Progress {
    /// The beginning of the line, without its ending.
    line: Vec<u8>,
    /// Number of right messages in a row.
    stage: u32,
}

fn watch(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    let progress = super::state::<Progress>(scratch);
    for byte in bytes.iter() {
        match byte {
            b'\n' => progress.end_of_line(),
            b'\r' => {}
            _ if progress.line.len() < LINE_MAX => progress.line.push(*byte),
            _ => {}
        }
    }
}

impl Progress {
    /// A wrong line changes nothing. Each right one has a branch of its own, as states of real protocols have.
    fn end_of_line(&mut self) {
        self.stage = match (self.stage, self.line.as_slice()) {
            (0, b"LOGIN kiwi") => 1,
            (1, b"qz7") => 2,
            (2, b"Vx!3p") => 3,
            (3, b"0mW_k9") => 4,
            (4, b"jY5") => 5,
            (5, b"tR~2") => super::die("six messages"),
            (stage, _) => stage,
        };
        self.line.clear();
    }
}
