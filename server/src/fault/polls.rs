//! A loop that looks every 10 ms whether there is something to do (cheroot#378).

use std::thread;
use std::time::Duration;

use socket2::Socket;

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "polls",
    caught_by: "idle-wakeups",
    kind: "spin",
    about: "wakes up every 10 ms, with or without clients",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        before_listen: Some(start),
        ..Hooks::NONE
    },
};

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(10);

fn start(_socket: &Socket) {
    thread::spawn(|| {
        loop {
            thread::sleep(PAUSE);
        }
    });
}
