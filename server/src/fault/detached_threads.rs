//! A thread per broken connection that never ends and that nobody joins.

use std::os::fd::BorrowedFd;
use std::thread;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "detached-threads",
    caught_by: "thread-leak",
    kind: "leak",
    about: "starts a thread for each reset connection that never ends",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(detach),
        ..Hooks::NONE
    },
};

/// Stack size of the thread, which only waits.
const STACK_BYTES: usize = 32 * 1024;

fn detach(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    if matches!(received, Received::Error(_)) {
        let forever = || -> () {
            loop {
                thread::park();
            }
        };
        let started = thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn(forever);
        super::or_die(started, "start a thread");
    }
}
