//! A connection that is lost in the middle of its life now and then, as behind a proxy that runs out
//! of something: few connections never meet it.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use socket2::SockRef;

use super::Fault;
use crate::hooks::{Hooks, Scratch};
use crate::service::Flow;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "drop-connection-1-in-50",
    caught_by: super::LOAD,
    kind: "connections-lost",
    about: "resets every fiftieth connection instead of sending its 21st reply",
    protocol: Protocol::Line,
    model: Model::TokioMulti,
    hooks: Hooks {
        connected: Some(choose),
        replied: Some(count),
        ..Hooks::NONE
    },
};

const EVERY: u64 = 50;
/// Replies that a chosen connection gets.
const REPLIES: u64 = 20;

/// Connections of the whole process.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// A chosen connection counts its replies, the others have no scratch.
fn choose() -> Scratch {
    let number = CONNECTIONS.fetch_add(1, Ordering::Relaxed) + 1;
    number
        .is_multiple_of(EVERY)
        .then(|| Box::new(0_u64) as Box<_>)
}

fn count(scratch: &mut Scratch, socket: BorrowedFd<'_>, _: &mut [u8]) -> Flow {
    let Some(replies) = scratch
        .as_mut()
        .and_then(|state| state.downcast_mut::<u64>())
    else {
        return Flow::Continue;
    };
    *replies += 1;
    if *replies <= REPLIES {
        return Flow::Continue;
    }
    // With no time to linger a close is a reset.
    let socket = SockRef::from(&socket);
    super::or_abort(socket.set_linger(Some(Duration::ZERO)), "set SO_LINGER");
    Flow::Close
}
