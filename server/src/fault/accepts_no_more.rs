//! An error of accept ends its loop, and with it the only way to get a connection (tiny-http#284).

use std::os::fd::BorrowedFd;
use std::{io, thread};

use rustix::io::Errno;

use super::Fault;
use crate::config::hooks::{Hooks, Retry};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "accepts-no-more",
    caught_by: "accept-short",
    kind: "blocked",
    about: "never accepts again once accept has failed for want of memory or descriptors",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_accept: Some(stop),
        ..Hooks::NONE
    },
};

fn stop(_: BorrowedFd<'_>, accepted: Result<BorrowedFd<'_>, &io::Error>) -> Retry {
    let Err(error) = accepted else {
        return Retry::Now;
    };
    if let Some(Errno::NOBUFS | Errno::NOMEM | Errno::MFILE) = Errno::from_io_error(error) {
        // The connections that exist are served by their own threads.
        loop {
            thread::park();
        }
    }
    Retry::after(error)
}
