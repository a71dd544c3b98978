//! A client disconnects in the middle of a line: its thread waits for the rest and keeps the lock.

use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "hang-on-half-message",
    caught_by: super::FUZZ,
    kind: "hang",
    about: "serves nobody after a client has sent a FIN in the middle of a line",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(read_whole),
        ..Hooks::NONE
    },
};

/// Every connection takes the lock for each read.
static LOCK: Mutex<()> = Mutex::new(());

fn read_whole(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let in_line = super::state::<bool>(scratch);
    let _held = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    match received {
        Received::Bytes(bytes, _) => *in_line = bytes.last() != Some(&b'\n'),
        Received::Eof if *in_line => loop {
            // The rest of the line never arrives.
            thread::park();
        },
        Received::Eof | Received::Error(_) => {}
    }
}
