//! Each reply to pipelined requests is a write of its own: Nagle's algorithm delays the second until the first is
//! acknowledged, and the client delays its acknowledgement.

use super::Fault;
use crate::config::hooks::Hooks;
use crate::service::Flow;
use crate::transport::Transport;
use crate::{Config, Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "write-per-reply",
    caught_by: "nagle-40ms",
    kind: "slow",
    about: "sends each of several replies in a write of its own, without TCP_NODELAY",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        configure: Some(nagle),
        before_write: Some(write_each),
        ..Hooks::NONE
    },
};

fn nagle(config: &mut Config) {
    config.nodelay = false;
}

fn write_each(transport: &mut dyn Transport, out: &mut Vec<u8>) -> Flow {
    while let Some(end) = out.iter().position(|byte| *byte == b'\n') {
        match transport.try_write(&out[..=end]) {
            Ok(count) => drop(out.drain(..count)),
            // The session sends the rest, or gets the same error.
            Err(_) => break,
        }
    }
    Flow::Continue
}
