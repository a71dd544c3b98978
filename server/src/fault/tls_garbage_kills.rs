//! `handshake().unwrap()`: a port scanner, or a browser that speaks plain HTTP, ends the server.

use std::io;

use super::Fault;
use crate::config::hooks::{Hooks, LayerHooks};
use crate::config::layer::Layer;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "tls-garbage-kills",
    caught_by: "tls-garbage",
    kind: "died",
    about: "exits when a client violates TLS, such as with garbage instead of a hello",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        layers: LayerHooks {
            layer: Some(Layer::Tls),
            tls_failed: Some(give_up),
            ..LayerHooks::NONE
        },
        ..Hooks::NONE
    },
};

fn give_up(error: &io::Error) {
    super::die(&error.to_string());
}
