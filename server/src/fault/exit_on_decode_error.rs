//! An uncaught exception. A character split between two reads is waited for.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "exit-on-decode-error",
    caught_by: "utf8-invalid",
    kind: "died",
    about: "exits when a text is not valid UTF-8",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(decode),
        ..Hooks::NONE
    },
};

fn decode(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    // Keeps at most the beginning of one character.
    let text = super::state::<Vec<u8>>(scratch);
    text.extend_from_slice(bytes);
    let valid = match std::str::from_utf8(text) {
        Ok(whole) => whole.len(),
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Err(_) => super::die("the text is not valid UTF-8"),
    };
    text.drain(..valid);
}
