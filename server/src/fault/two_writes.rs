//! Nagle's algorithm delays the second small write until the first is acknowledged, and the client delays
//! its acknowledgement: 40 ms per reply.

use super::Fault;
use crate::config::hooks::Hooks;
use crate::service::Flow;
use crate::transport::Transport;
use crate::{Config, Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "two-writes",
    caught_by: "nagle-40ms",
    kind: "slow",
    about: "sends each reply in two writes, without TCP_NODELAY",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        configure: Some(nagle),
        before_write: Some(write_in_two),
        ..Hooks::NONE
    },
};

fn nagle(config: &mut Config) {
    config.nodelay = false;
}

/// Sends each line without its `\n`, and then the `\n`.
fn write_in_two(transport: &mut dyn Transport, out: &mut Vec<u8>) -> Flow {
    while let Some(end) = out.iter().position(|byte| *byte == b'\n') {
        for length in [end, 1] {
            match transport.try_write(&out[..length]) {
                Ok(count) if count == length => drop(out.drain(..count)),
                // The session sends the rest, or gets the same error.
                Ok(count) => {
                    out.drain(..count);
                    return Flow::Continue;
                }
                Err(_) => return Flow::Continue,
            }
        }
    }
    Flow::Continue
}
