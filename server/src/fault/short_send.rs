//! A reply larger than the free space in the send buffer arrives truncated.

use std::io::ErrorKind;

use super::Fault;
use crate::config::hooks::{Hooks, LayerHooks};
use crate::config::layer::Layer;
use crate::service::Flow;
use crate::transport::Transport;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "short-send",
    caught_by: "big-reply",
    kind: "wrong-reply",
    about: "ignores the return value of send and loses what the kernel did not take",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        before_write: Some(send_once),
        layers: LayerHooks {
            layer: Some(Layer::Socket),
            ..LayerHooks::NONE
        },
        ..Hooks::NONE
    },
};

pub(super) fn send_once(transport: &mut dyn Transport, out: &mut Vec<u8>) -> Flow {
    // Ignores the count. If the buffer is full, waits as usual, so that later replies still arrive.
    let sent = transport.try_write(out);
    if !sent.is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
        out.clear();
    }
    Flow::Continue
}
