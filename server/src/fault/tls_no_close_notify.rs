//! The end of a stream without a close_notify looks like an attack that cuts replies short, and clients
//! report an error (RFC 8446, 6.1).

use super::Fault;
use crate::config::hooks::{Hooks, LayerHooks};
use crate::config::layer::Layer;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "tls-no-close-notify",
    caught_by: "tls-close-notify",
    kind: "lost-reply",
    about: "ends a TLS stream with a FIN, without a close_notify",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        layers: LayerHooks {
            layer: Some(Layer::Tls),
            sends_close_notify: false,
            ..LayerHooks::NONE
        },
        ..Hooks::NONE
    },
};
