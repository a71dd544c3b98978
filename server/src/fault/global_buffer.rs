//! A static buffer is used by two clients at the same time: one gets the other's reply.

use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "global-buffer",
    caught_by: "crosstalk",
    kind: "wrong-reply",
    about: "uses one buffer for all connections",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(share),
        ..Hooks::NONE
    },
};

/// Time between write and read, long enough for another connection to use the buffer.
const PAUSE: Duration = Duration::from_millis(1);

static BUFFER: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fn share(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    let buffer = || BUFFER.lock().unwrap_or_else(PoisonError::into_inner);
    buffer().clone_from(bytes);
    thread::sleep(PAUSE);
    bytes.clone_from(&buffer());
}
