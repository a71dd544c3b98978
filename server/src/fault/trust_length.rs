//! Four bytes from any client exhaust the memory.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "trust-length",
    caught_by: "huge-length",
    kind: "growth",
    about: "allocates and touches as much memory as a length field announces, up to 512 MiB",
    protocol: Protocol::Frame,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(trust),
        ..Hooks::NONE
    },
};

/// Size of the length field in bytes.
const HEADER: usize = 4;
/// Maximum bytes allocated: enough to be noticed, and few enough to spare the machine.
const ALLOCATED_BYTES_MAX: usize = 512 << 20;

/// The position of the stream in a frame.
#[derive(Default)]
struct FramePosition {
    header: Vec<u8>,
    body_left: usize,
    /// The memory allocated for the frame.
    _body: Vec<u8>,
}

fn trust(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    let position = super::state::<FramePosition>(scratch);
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        if position.body_left > 0 {
            let taken = position.body_left.min(rest.len());
            position.body_left -= taken;
            rest = &rest[taken..];
            continue;
        }
        position.header.push(rest[0]);
        rest = &rest[1..];
        if let Some(length) = position.header.first_chunk::<HEADER>() {
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            // Nonzero bytes in each page make the kernel allocate the memory.
            let body = vec![1; length.min(ALLOCATED_BYTES_MAX)];
            *position = FramePosition {
                header: Vec::new(),
                body_left: length,
                _body: body,
            };
        }
    }
}
