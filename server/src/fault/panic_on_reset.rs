//! A reset between requests is handled; a reset with half a request in the buffer is not.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "panic-on-reset",
    caught_by: "rst-mid-request",
    kind: "died",
    about: "dies when a connection is reset in the middle of a request",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(expect_rest),
        ..Hooks::NONE
    },
};

fn expect_rest(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let in_request = super::state::<bool>(scratch);
    match received {
        Received::Bytes(bytes, _) => *in_request = bytes.last() != Some(&b'\n'),
        Received::Error(error) if *in_request => super::die(&error.to_string()),
        Received::Error(_) | Received::Eof => {}
    }
}
