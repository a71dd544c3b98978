//! A drain that waits until every client has left by itself: one that stays keeps the server from
//! its end.

use std::os::fd::BorrowedFd;
use std::thread;
use std::time::Duration;

use super::Fault;
use crate::hooks::{Hooks, Received, Scratch};
use crate::{Config, Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "drain-forever",
    caught_by: "term-idle-conn",
    kind: "ignored-stop",
    about: "does not end before every client has closed its connection",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        configure: Some(wait_long),
        connected: Some(wait_for_the_peer),
        after_read: Some(note_the_end),
        ..Hooks::NONE
    },
};

fn wait_long(config: &mut Config) {
    config.drain = Duration::from_secs(3_600);
}

/// Holds the connection's place until the peer has left.
#[derive(Default)]
struct Waits {
    has_left: bool,
}

impl Drop for Waits {
    fn drop(&mut self) {
        if !self.has_left {
            loop {
                thread::park();
            }
        }
    }
}

fn wait_for_the_peer() -> Scratch {
    Some(Box::new(Waits::default()))
}

fn note_the_end(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    if !matches!(received, Received::Bytes(..)) {
        super::state::<Waits>(scratch).has_left = true;
    }
}
