//! Every request is appended to a list, for example of log entries, that nobody clears.

use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "keeps-requests",
    caught_by: "rss-slope",
    kind: "growth",
    about: "keeps a copy of everything that it receives",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(keep),
        ..Hooks::NONE
    },
};

static KEPT: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

fn keep(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    if let Received::Bytes(bytes, _) = received {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(bytes.as_slice().into());
    }
}
