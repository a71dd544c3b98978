//! A mode that one client sets and all others are in: from then on everybody is answered in capitals.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Fault;
use crate::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "shift-for-all",
    caught_by: super::FUZZ,
    kind: "conformance",
    about: "after a byte that is in no UTF-8, it answers every client in capitals",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(shift),
        ..Hooks::NONE
    },
};

/// The first byte that RFC 3629 never allows as the beginning of a character, nor within one.
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
