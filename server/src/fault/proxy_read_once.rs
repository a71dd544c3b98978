//! The header is read with one `recv`, because it is written with one `send`: but it may be split on the way.

use super::Fault;
use crate::config::hooks::{Hooks, LayerHooks};
use crate::config::layer::Layer;
use crate::proxy::Parsed;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "proxy-read-once",
    caught_by: "proxy-split",
    kind: "lost-reply",
    about: "closes a connection whose first recv does not return a whole PROXY header",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        layers: LayerHooks {
            layer: Some(Layer::Proxy),
            header_read: Some(refuse_part),
            ..LayerHooks::NONE
        },
        ..Hooks::NONE
    },
};

fn refuse_part(parsed: Parsed) -> Parsed {
    match parsed {
        Parsed::Incomplete => Parsed::Malformed,
        Parsed::Header(_) | Parsed::Malformed => parsed,
    }
}
