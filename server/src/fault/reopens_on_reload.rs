//! A reload closes the listening socket and opens it again. Clients that connect meanwhile are refused.

use std::os::fd::BorrowedFd;
use std::thread;
use std::time::Duration;

use rustix::net::{Shutdown, listen, shutdown};

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "reopens-on-reload",
    caught_by: "reload-under-load",
    kind: "refused",
    about: "does not listen for 50 ms after a SIGHUP",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        reloads: Some(reopen),
        ..Hooks::NONE
    },
};

/// Time in which a real server would read its settings.
const PAUSE: Duration = Duration::from_millis(50);
const BACKLOG: i32 = 128;

/// Stops listening and starts again. The socket keeps its port (the kernel's `inet_shutdown`).
fn reopen(listener: BorrowedFd<'_>) {
    super::or_die(shutdown(listener, Shutdown::Both), "stop listening");
    thread::sleep(PAUSE);
    super::or_die(listen(listener, BACKLOG), "listen again");
}
