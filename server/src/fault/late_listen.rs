//! A start-up that is slow before the port is there: whoever waits a fixed time is flaky.

use std::thread;
use std::time::Duration;

use socket2::Socket;

use super::Fault;
use crate::hooks::Hooks;
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
