//! What has arrived of a line is gone through again with each read, so a long line in small segments costs its square.

use std::hint;
use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "rescan",
    caught_by: "rescan-quadratic",
    kind: "complexity",
    about: "copies the beginning of a line with each read",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(copy),
        ..Hooks::NONE
    },
};

/// Maximum bytes kept of a line: the default limit of the protocol.
const LINE_BYTES_MAX: usize = 65_536;
/// Number of copies per read, so that the cost stands out although lines are short.
const COPIES: usize = 500;

/// What has arrived of a line, and room for a copy of it: an allocation would cost more than a short copy.
#[derive(Default)]
struct Line {
    begun: Vec<u8>,
    copy: Vec<u8>,
}

fn copy(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    let Line { begun, copy } = super::state::<Line>(scratch);
    if let Some(end) = memchr::memrchr(b'\n', bytes) {
        begun.clear();
        begun.extend_from_slice(&bytes[end + 1..]);
    } else {
        begun.extend_from_slice(bytes);
    }
    begun.truncate(LINE_BYTES_MAX);
    copy.resize(begun.len(), 0);
    for _ in 0..COPIES {
        copy.copy_from_slice(hint::black_box(begun));
        hint::black_box(&mut *copy);
    }
}
