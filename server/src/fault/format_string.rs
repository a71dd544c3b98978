//! `printf(text)`: input from the network is used as a format string.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol, sys};

pub(super) const FAULT: Fault = Fault {
    name: "format-string",
    caught_by: super::FUZZ,
    kind: "crash",
    about: "dies of SIGSEGV when a text contains %n or %s",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(print),
        ..Hooks::NONE
    },
};

fn print(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    let after_percent = super::state::<bool>(scratch);
    for byte in bytes.iter() {
        // For these, printf reads an address from beyond its arguments.
        if *after_percent && matches!(byte, b'n' | b's') {
            sys::segfault::die();
        }
        // `%%` is a literal `%`.
        *after_percent = *byte == b'%' && !*after_percent;
    }
}
