//! A loop reads from one socket until nothing comes any more: a client that always sends keeps all others waiting.

use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Fault;
use super::turnstile::{Permit, Turnstile};
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "drains-one-socket",
    caught_by: "fair-hog",
    kind: "blocked",
    about: "serves one connection for as long as it has more to read, and all others after it",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(drain),
        ..Hooks::NONE
    },
};

/// The connection that is served.
static SERVED: Turnstile = Turnstile::new(1);

/// How long the loop waits for more of a client that always had more before: a client that is descheduled for a moment must not
/// end it, or the fault would show by chance.
const PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

fn drain(scratch: &mut Scratch, socket: BorrowedFd<'_>, received: Received<'_>) {
    let turn = super::state::<Option<Permit>>(scratch);
    let was_served = turn.is_some();
    if !was_served {
        *turn = Some(SERVED.pass());
    }
    let has_more = matches!(received, Received::Bytes(..)) && {
        let mut fds = [PollFd::new(&socket, PollFlags::IN)];
        let patience = if was_served {
            PATIENCE
        } else {
            Timespec::default()
        };
        poll(&mut fds, Some(&patience)).is_ok_and(|ready| ready > 0)
    };
    if !has_more {
        *turn = None;
    }
}
