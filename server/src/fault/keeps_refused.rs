//! The buffer is not cleared after an error: what was refused is part of the next request.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "keeps-refused",
    caught_by: "refuse-then-sync",
    kind: "wrong-reply",
    about: "keeps the end of a refused line and takes it for the beginning of the next",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(keep),
        ..Hooks::NONE
    },
};

/// What is kept of a refused line.
#[derive(Default)]
struct Kept {
    line: Vec<u8>,
    rest: Vec<u8>,
}

fn keep(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    let kept = super::state::<Kept>(scratch);
    let mut passed = Vec::with_capacity(bytes.len());
    for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
        passed.append(&mut kept.rest);
        passed.extend_from_slice(piece);
        kept.line.extend_from_slice(piece);
        if piece.ends_with(b"\n") {
            if std::str::from_utf8(&kept.line).is_err() {
                kept.rest = b"rest ".to_vec();
            }
            kept.line.clear();
        }
    }
    *bytes = passed;
}
