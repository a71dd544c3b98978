//! One client sets a mode that applies to all clients.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "shift-for-all",
    caught_by: super::FUZZ,
    kind: "conformance",
    about: "answers every client in capitals after a byte that never occurs in UTF-8",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(shift),
        ..Hooks::NONE
    },
};

/// Bytes from this value on never occur in UTF-8 (RFC 3629).
const NEVER: u8 = 0xf8;

static SHIFTED: AtomicBool = AtomicBool::new(false);

fn shift(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    if bytes.iter().any(|byte| *byte >= NEVER) {
        SHIFTED.store(true, Ordering::Relaxed);
    }
    if SHIFTED.load(Ordering::Relaxed) {
        bytes.make_ascii_uppercase();
    }
}
