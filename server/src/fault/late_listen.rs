//! Start-up is slow before the port is open, so tests that wait for a fixed time are flaky.

use std::thread;
use std::time::Duration;

use socket2::Socket;

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "late-listen",
    caught_by: "start-ready",
    kind: "not-ready",
    about: "sleeps for 1.5 s before it listens",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        before_listen: Some(sleep),
        ..Hooks::NONE
    },
};

fn sleep(_socket: &Socket) {
    thread::sleep(Duration::from_millis(1_500));
}
