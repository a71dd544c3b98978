//! If several requests arrive together, only the first is processed.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "drop-rest",
    caught_by: "coalesce-100",
    kind: "wrong-reply",
    about: "drops everything after the first request of a read",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(drop_rest),
        ..Hooks::NONE
    },
};

fn drop_rest(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    if let Received::Bytes(bytes, _) = received
        && let Some(end) = bytes.iter().position(|byte| *byte == b'\n')
    {
        bytes.truncate(end + 1);
    }
}
