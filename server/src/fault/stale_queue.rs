//! Requests wait in a queue, and those of clients that have given up are worked through like all others.

use std::os::fd::BorrowedFd;
use std::thread;
use std::time::Duration;

use super::Fault;
use super::turnstile::Turnstile;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "stale-queue",
    caught_by: "overload-recovery",
    kind: "slow",
    about: "works 4 ms for each request, one after the other, also for clients that have left",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(work),
        ..Hooks::NONE
    },
};

/// Duration of the work for one request.
const WORK: Duration = Duration::from_millis(4);

static WORKER: Turnstile = Turnstile::new(1);

fn work(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    if let Received::Bytes(..) = received {
        let _permit = WORKER.pass();
        thread::sleep(WORK);
    }
}
