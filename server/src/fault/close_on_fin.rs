//! Treats a half-close as a disconnect (nmap#2510). Before each reply it waits briefly for the FIN, so
//! that the outcome does not depend on timing.

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Fault;
use crate::config::hooks::Hooks;
use crate::service::Flow;
use crate::transport::Transport;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "close-on-fin",
    caught_by: "fin-after-request",
    kind: "lost-reply",
    about: "closes on the FIN of the client and drops the reply",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        before_write: Some(look_for_fin),
        ..Hooks::NONE
    },
};

/// Maximum wait for a FIN: that of a client which closes right after its request arrives within 20 ms.
const PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

fn look_for_fin(transport: &mut dyn Transport, out: &mut Vec<u8>) -> Flow {
    let mut fds = [PollFd::from_borrowed_fd(
        transport.descriptor(),
        PollFlags::RDHUP,
    )];
    if matches!(poll(&mut fds, Some(&PATIENCE)), Ok(1..)) {
        out.clear();
        return Flow::Close;
    }
    Flow::Continue
}
