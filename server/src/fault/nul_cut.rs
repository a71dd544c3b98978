//! `strlen` on bytes from the network.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "nul-cut",
    caught_by: "nul-bytes",
    kind: "wrong-reply",
    about: "truncates a line at its first NUL",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(cut),
        ..Hooks::NONE
    },
};

fn cut(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    let after_nul = super::state::<bool>(scratch);
    bytes.retain(|byte| {
        *after_nul = (*after_nul || *byte == 0) && *byte != b'\n';
        !*after_nul
    });
}
