//! A client that leaves in the middle of a line: its thread waits for the rest, with the lock in hand.

use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::Fault;
use crate::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "hang-on-half-message",
    caught_by: super::FUZZ,
    kind: "hang",
    about: "serves nobody any more once a peer has finished in the middle of a line",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(read_whole),
        ..Hooks::NONE
    },
};

/// What every connection needs for whatever it has read.
static LOCK: Mutex<()> = Mutex::new(());

fn read_whole(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let in_line = super::state::<bool>(scratch);
    let _held = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    match received {
        Received::Bytes(bytes, _) => *in_line = bytes.last() != Some(&b'\n'),
        Received::Eof if *in_line => loop {
            // The rest of the line does not come; that nobody tells us so is the mistake.
            thread::park();
        },
        Received::Eof | Received::Error(_) => {}
    }
}
