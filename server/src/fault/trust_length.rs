//! Four bytes from a stranger, and the memory is gone.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "trust-length",
    caught_by: "huge-length",
    kind: "growth",
    about: "allocates and touches as much as a length field says, up to 512 MiB",
    protocol: Protocol::Frame,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(trust),
        ..Hooks::NONE
    },
};

const HEADER: usize = 4;
/// Enough to be seen, and little enough to leave the machine alive.
const ALLOCATED_BYTES_MAX: usize = 512 << 20;

/// Where in a frame the stream is.
#[derive(Default)]
struct Place {
    header: Vec<u8>,
    body_left: usize,
    /// What was allocated for the frame.
    _body: Vec<u8>,
}

fn trust(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    let place = super::state::<Place>(scratch);
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        if place.body_left > 0 {
            let taken = place.body_left.min(rest.len());
            place.body_left -= taken;
            rest = &rest[taken..];
            continue;
        }
        place.header.push(rest[0]);
        rest = &rest[1..];
        if let Some(length) = place.header.first_chunk::<HEADER>() {
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            // A byte other than 0 in each page: the kernel has to find the memory.
            let body = vec![1; length.min(ALLOCATED_BYTES_MAX)];
            *place = Place {
                header: Vec::new(),
                body_left: length,
                _body: body,
            };
        }
    }
}
