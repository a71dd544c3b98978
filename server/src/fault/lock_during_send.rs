//! A lock protects what all connections share, and is held while a reply is sent: a client that reads slowly stops the others.

use std::io::ErrorKind;
use std::thread;
use std::time::Duration;

use super::Fault;
use super::turnstile::Turnstile;
use crate::config::hooks::Hooks;
use crate::service::Flow;
use crate::transport::Transport;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "lock-during-send",
    caught_by: "slow-read",
    kind: "blocked",
    about: "holds a lock that all connections share until a reply has been sent",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        before_write: Some(send_locked),
        ..Hooks::NONE
    },
};

/// Whoever sends.
static SENDING: Turnstile = Turnstile::new(1);
/// Time until the socket is tried again.
const RETRY: Duration = Duration::from_millis(1);

fn send_locked(transport: &mut dyn Transport, out: &mut Vec<u8>) -> Flow {
    let _sending = SENDING.pass();
    while !out.is_empty() {
        match transport.try_write(out) {
            Ok(count) => drop(out.drain(..count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY),
            // The session gets the same error.
            Err(_) => break,
        }
    }
    Flow::Continue
}
