//! Some connections are lost in mid-use, as behind an overloaded proxy. A few connections never show it.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use socket2::SockRef;

use super::Fault;
use crate::config::hooks::{Hooks, Scratch};
use crate::service::Flow;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "drop-connection-1-in-50",
    caught_by: super::LOAD,
    kind: "connections-lost",
    about: "resets every 50th connection instead of sending its 21st reply",
    protocol: Protocol::Line,
    model: Model::TokioMulti,
    hooks: Hooks {
        connected: Some(choose),
        replied: Some(count),
        ..Hooks::NONE
    },
};

/// One in this many connections is reset.
const EVERY: u64 = 50;
/// Replies sent on a connection before it is reset.
const REPLIES: u64 = 20;

/// Connections accepted by the process.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// A connection to reset counts its replies; the others have no scratch.
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
    // With a linger time of zero, close sends a reset.
    let socket = SockRef::from(&socket);
    super::or_die(socket.set_linger(Some(Duration::ZERO)), "set SO_LINGER");
    Flow::Close
}
