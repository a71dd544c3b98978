//! One string decoder for all connections: the unfinished character of one client is continued by the bytes of another
//! (json-socket 0.3.0).

use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "shared-decoder",
    caught_by: "shared-decoder",
    kind: "wrong-reply",
    about: "keeps the bytes of unfinished characters in one buffer for all connections",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(decode),
        ..Hooks::NONE
    },
};

static UNFINISHED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fn decode(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    let mut unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
    bytes.splice(..0, unfinished.drain(..));
    if let Err(error) = std::str::from_utf8(bytes)
        && error.error_len().is_none()
    {
        unfinished.extend(bytes.drain(error.valid_up_to()..));
    }
}
