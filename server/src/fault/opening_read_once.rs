//! The login is read with one `recv`, because it is small: but a stream may end anywhere for a moment.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::service::Flow;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "opening-read-once",
    caught_by: "opening-split",
    kind: "lost-reply",
    about: "closes a connection whose first recv does not return a whole line",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(look_once),
        replied: Some(close_if_cut),
        ..Hooks::NONE
    },
};

/// What the first `recv` of a connection returned.
#[derive(Default, PartialEq)]
enum First {
    #[default]
    Awaited,
    Whole,
    Cut,
}

fn look_once(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let first = super::state::<First>(scratch);
    if let Received::Bytes(bytes, _) = received
        && *first == First::Awaited
    {
        *first = if bytes.contains(&b'\n') {
            First::Whole
        } else {
            First::Cut
        };
    }
}

fn close_if_cut(scratch: &mut Scratch, _: BorrowedFd<'_>, _: &mut [u8]) -> Flow {
    if *super::state::<First>(scratch) == First::Cut {
        Flow::Close
    } else {
        Flow::Continue
    }
}
