//! A 1 ms timer that does work although nothing has changed.

use std::time::{Duration, Instant};
use std::{hint, thread};

use socket2::Socket;

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "tick",
    caught_by: "idle-cpu",
    kind: "spin",
    about: "works for 0.3 ms in every 1.3 ms, with or without clients",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        before_listen: Some(start),
        ..Hooks::NONE
    },
};

/// Time between two bursts of work.
const PAUSE: Duration = Duration::from_millis(1);
/// Duration of a burst of work.
const WORK: Duration = Duration::from_micros(300);

fn start(_socket: &Socket) {
    thread::spawn(|| {
        loop {
            thread::sleep(PAUSE);
            let until = Instant::now() + WORK;
            while Instant::now() < until {
                hint::spin_loop();
            }
        }
    });
}
