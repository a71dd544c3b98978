//! A resource is exhausted, or a counter overflows: the server works well until it dies.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Fault;
use crate::config::hooks::{Hooks, Scratch};
use crate::service::Flow;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "die-after-10000",
    caught_by: super::LOAD,
    kind: "server-died",
    about: "exits with status 1 instead of sending reply 10,001",
    protocol: Protocol::Line,
    model: Model::TokioMulti,
    hooks: Hooks {
        replied: Some(count),
        ..Hooks::NONE
    },
};

/// Number of replies that the process sends before it dies.
const REPLIES_MAX: u64 = 10_000;

/// Replies sent by the process.
static REPLIES: AtomicU64 = AtomicU64::new(0);

fn count(_: &mut Scratch, _: BorrowedFd<'_>, _: &mut [u8]) -> Flow {
    if REPLIES.fetch_add(1, Ordering::Relaxed) >= REPLIES_MAX {
        super::die("too many replies");
    }
    Flow::Continue
}
