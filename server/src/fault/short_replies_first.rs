//! Each request is a task of its own, and its reply is sent when it is ready: the cheapest first.

use super::Fault;
use crate::config::hooks::Hooks;
use crate::service::Flow;
use crate::transport::Transport;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "short-replies-first",
    caught_by: "reply-order",
    kind: "wrong-reply",
    about: "sends the shortest of several replies first, as if each request were a task of its own",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        before_write: Some(shortest_first),
        ..Hooks::NONE
    },
};

fn shortest_first(_: &mut dyn Transport, out: &mut Vec<u8>) -> Flow {
    if out.ends_with(b"\n") {
        let mut replies: Vec<&[u8]> = out.split_inclusive(|byte| *byte == b'\n').collect();
        replies.sort_by_key(|reply| reply.len());
        *out = replies.concat();
    }
    Flow::Continue
}
