//! Short replies always fit into the buffer of the kernel, so nobody looks at what send returns.

use super::{Fault, short_send};
use crate::config::hooks::Hooks;
use crate::service::Flow;
use crate::transport::Transport;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "assumes-whole-writes",
    caught_by: "short-write",
    kind: "lost-reply",
    about: "takes a short reply for sent though the kernel took only a part",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        before_write: Some(send_once),
        ..Hooks::NONE
    },
};

/// Replies up to this size are sent with a single call.
const SHORT: usize = 1_024;

fn send_once(transport: &mut dyn Transport, out: &mut Vec<u8>) -> Flow {
    if out.len() <= SHORT {
        short_send::send_once(transport, out)
    } else {
        Flow::Continue
    }
}
