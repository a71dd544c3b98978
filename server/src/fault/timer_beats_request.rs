//! The timer of an idle connection fires while a request is under way, and closes the connection (aiohttp#13283).

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use super::Fault;
use crate::config::hooks::{Hooks, Scratch};
use crate::service::Flow;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "timer-beats-request",
    caught_by: "keepalive-race",
    kind: "lost-reply",
    about: "drops the reply to a request that it reads from 370 to 500 ms after the last one",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        replied: Some(drop_late),
        ..Hooks::NONE
    },
};

/// Time since the last reply after which the timer, of 400 ms, fires before the reply to a request is sent.
const LATE: Duration = Duration::from_millis(370);
const TOO_LATE: Duration = Duration::from_millis(500);

fn drop_late(scratch: &mut Scratch, _: BorrowedFd<'_>, _: &mut [u8]) -> Flow {
    let last: &mut Option<Instant> = super::state(scratch);
    let idle = last.replace(Instant::now()).map(|last| last.elapsed());
    if idle.is_some_and(|idle| (LATE..TOO_LATE).contains(&idle)) {
        Flow::Close
    } else {
        Flow::Continue
    }
}
