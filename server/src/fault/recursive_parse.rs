//! A parser that calls itself for each level of a nested value: one line exhausts the stack.

use std::hint;
use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "recursive-parse",
    caught_by: "deep-nesting",
    kind: "died",
    about: "goes through the brackets of a line with a function that calls itself",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(parse),
        ..Hooks::NONE
    },
};

/// What the parser keeps on the stack for each level, in bytes.
const LEVEL_BYTES: usize = 256;

fn parse(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    super::quadratic_parse::each_line(scratch, received, |line| {
        hint::black_box(value(line));
    });
}

/// Returns what follows the value.
fn value(text: &[u8]) -> &[u8] {
    let level = hint::black_box([0_u8; LEVEL_BYTES]);
    let mut rest = text;
    while let Some((byte, tail)) = rest.split_first() {
        rest = match byte {
            b'[' | b'{' => value(tail),
            b']' | b'}' => break,
            _ => tail,
        };
    }
    hint::black_box(level);
    rest.get(1..).unwrap_or_default()
}
