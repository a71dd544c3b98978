//! The shutdown waits until every client has disconnected, so one idle client prevents it.

use std::os::fd::BorrowedFd;
use std::thread;
use std::time::Duration;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Config, Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "drain-forever",
    caught_by: "term-idle-conn",
    kind: "ignored-stop",
    about: "exits only after every client has closed its connection",
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

/// Keeps the connection open until the peer has disconnected.
#[derive(Default)]
struct PeerWait {
    has_left: bool,
}

impl Drop for PeerWait {
    fn drop(&mut self) {
        if !self.has_left {
            loop {
                thread::park();
            }
        }
    }
}

fn wait_for_the_peer() -> Scratch {
    Some(Box::new(PeerWait::default()))
}

fn note_the_end(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    if !matches!(received, Received::Bytes(..)) {
        super::state::<PeerWait>(scratch).has_left = true;
    }
}
