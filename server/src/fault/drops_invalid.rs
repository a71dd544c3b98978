//! `decode(errors="ignore")`: invalid text is echoed without the invalid bytes instead of refused.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "drops-invalid",
    caught_by: "utf8-invalid-lossy",
    kind: "accepted",
    about: "drops invalid UTF-8 and answers the rest",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(decode),
        ..Hooks::NONE
    },
};

fn decode(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    super::lossy_decode::decode_with(scratch, received, "");
}
