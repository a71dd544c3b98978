//! The timer of a connection starts with it, and requests do not restart it.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use super::Fault;
use crate::config::hooks::{Hooks, Scratch};
use crate::service::Flow;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "fixed-lifetime",
    caught_by: "idle-timeout",
    kind: "lost-reply",
    about: "closes a connection 300 ms after its first reply, idle or not",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        replied: Some(close_when_old),
        ..Hooks::NONE
    },
};

const LIFETIME: Duration = Duration::from_millis(300);

fn close_when_old(scratch: &mut Scratch, _: BorrowedFd<'_>, _: &mut [u8]) -> Flow {
    let begun: &mut Option<Instant> = super::state(scratch);
    if begun.get_or_insert_with(Instant::now).elapsed() < LIFETIME {
        Flow::Continue
    } else {
        Flow::Close
    }
}
