//! A timer of a millisecond that looks at everything there is, though nothing has changed.

use std::time::{Duration, Instant};
use std::{hint, thread};

use socket2::Socket;

use super::Fault;
use crate::hooks::Hooks;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "tick",
    caught_by: "idle-cpu",
    kind: "spin",
    about: "works for 0.3 ms in every 1.3 ms, with or without a client",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        before_listen: Some(start),
        ..Hooks::NONE
    },
};

const PAUSE: Duration = Duration::from_millis(1);
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
