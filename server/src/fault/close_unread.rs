//! One recv, one reply, close: if the request is longer than the buffer, close sends a reset instead of a
//! FIN (RFC 2525, 2.17), and the reply may be lost.

use std::time::Duration;

use super::Fault;
use crate::config::hooks::{Hooks, LayerHooks};
use crate::config::layer::Layer;
use crate::{Config, Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "close-unread",
    caught_by: "over-buffer",
    kind: "reset",
    about: "closes after its reply with unread input, which resets the connection and destroys the reply",
    protocol: Protocol::Tutorial,
    model: Model::Threads,
    hooks: Hooks {
        configure: Some(close_at_once),
        layers: LayerHooks {
            layer: Some(Layer::Socket),
            ..LayerHooks::NONE
        },
        ..Hooks::NONE
    },
};

fn close_at_once(config: &mut Config) {
    config.linger = Duration::ZERO;
}
