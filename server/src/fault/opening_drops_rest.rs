//! The login has a buffer of its own. What arrives in the same read after it is forgotten with that buffer.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "opening-drops-rest",
    caught_by: "opening-coalesced",
    kind: "lost-reply",
    about: "drops everything after the first line of the first recv of a connection",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(drop_rest),
        ..Hooks::NONE
    },
};

fn drop_rest(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let is_later = super::state::<bool>(scratch);
    if let Received::Bytes(bytes, _) = received
        && !std::mem::replace(is_later, true)
        && let Some(end) = bytes.iter().position(|byte| *byte == b'\n')
    {
        bytes.truncate(end + 1);
    }
}
