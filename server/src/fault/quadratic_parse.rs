//! Splits a text word by word from the front and copies the whole rest each time.

use std::hint;
use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "quadratic-parse",
    caught_by: super::FUZZ,
    kind: "complexity",
    about: "copies the rest of a line for every space in it",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(parse),
        ..Hooks::NONE
    },
};

/// Maximum bytes kept of a line: the default limit of the protocol.
const LINE_BYTES_MAX: usize = 65_536;
/// Number of copies of the rest per word, so that the cost stands out.
const COPIES: usize = 20;

fn parse(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    each_line(scratch, received, words);
}

/// Calls `parse` with each complete line.
pub(super) fn each_line(scratch: &mut Scratch, received: Received<'_>, parse: fn(&[u8])) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    let line = super::state::<Vec<u8>>(scratch);
    for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
        let room = LINE_BYTES_MAX - line.len();
        line.extend_from_slice(&piece[..piece.len().min(room)]);
        if piece.ends_with(b"\n") {
            parse(line);
            line.clear();
        }
    }
}

fn words(line: &[u8]) {
    for (place, _) in line.iter().enumerate().filter(|(_, byte)| **byte == b' ') {
        for _ in 0..COPIES {
            hint::black_box(line[place..].to_vec());
        }
    }
}
