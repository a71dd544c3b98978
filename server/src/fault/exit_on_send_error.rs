//! Only the errors that clients cause are expected of send.

use std::io::ErrorKind;

use super::Fault;
use crate::config::hooks::Hooks;
use crate::service::Flow;
use crate::transport::Transport;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "exit-on-send-error",
    caught_by: "send-error",
    kind: "died",
    about: "exits when send fails with anything but the loss of its connection",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        before_write: Some(send),
        ..Hooks::NONE
    },
};

fn send(transport: &mut dyn Transport, out: &mut Vec<u8>) -> Flow {
    match transport.try_write(out) {
        Ok(count) => drop(out.drain(..count)),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock
            | ErrorKind::Interrupted
            | ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe => {}
            _ => super::die(&format!("send: {error}")),
        },
    }
    Flow::Continue
}
