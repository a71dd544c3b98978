//! A race corrupts an occasional reply: no single conversation is long enough to show it.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Fault;
use crate::config::hooks::{Hooks, Scratch};
use crate::service::Flow;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "wrong-reply-1-in-1000",
    caught_by: super::LOAD,
    kind: "wrong-replies",
    about: "changes one byte of every 1,000th reply",
    protocol: Protocol::Line,
    model: Model::TokioMulti,
    hooks: Hooks {
        replied: Some(garble),
        ..Hooks::NONE
    },
};

/// One in this many replies is wrong.
const EVERY: u64 = 1_000;

/// Replies sent by the process.
static REPLIES: AtomicU64 = AtomicU64::new(0);

fn garble(_: &mut Scratch, _: BorrowedFd<'_>, reply: &mut [u8]) -> Flow {
    let number = REPLIES.fetch_add(1, Ordering::Relaxed) + 1;
    // The last byte may be the delimiter, so the byte before it changes. An empty line has none.
    if number.is_multiple_of(EVERY)
        && let [.., byte, _] = reply
    {
        *byte = if *byte == b'#' { b'!' } else { b'#' };
    }
    Flow::Continue
}
