//! `getpeername` fails for a connection that was reset before accept; the socket stays registered, and is always readable
//! (Pylons/waitress#418).

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};

use super::Fault;
use crate::config::hooks::{Hooks, Retry};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "peer-name-spin",
    caught_by: "rst-in-queue",
    kind: "spin",
    about: "polls the first connection without a peer address in a busy loop and never reads it",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_accept: Some(keep_registered),
        ..Hooks::NONE
    },
};

fn keep_registered(_: BorrowedFd<'_>, accepted: Result<BorrowedFd<'_>, &io::Error>) -> Retry {
    let stream = match accepted {
        Ok(stream) => stream,
        Err(error) => return Retry::after(error),
    };
    // One busy loop is enough: many of them would leave no CPU for anything else.
    static SPINS: AtomicBool = AtomicBool::new(false);
    if rustix::net::getpeername(stream).is_err() && !SPINS.swap(true, Ordering::Relaxed) {
        let socket = super::or_die(stream.try_clone_to_owned(), "copy a descriptor");
        let spin = move || while poll(&mut [PollFd::new(&socket, PollFlags::IN)], None).is_ok() {};
        super::or_die(thread::Builder::new().spawn(spin), "start a thread");
    }
    Retry::Now
}
