//! A server that guesses whether there is a header lets clients that reach it directly choose their own
//! address (section 2 of the specification).

use super::Fault;
use crate::config::hooks::{Hooks, LayerHooks};
use crate::config::layer::Layer;
use crate::proxy::{Parsed, ProxyHeader};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "proxy-optional",
    caught_by: "proxy-missing",
    kind: "accepted",
    about: "serves a connection that does not begin with a PROXY header",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        layers: LayerHooks {
            layer: Some(Layer::Proxy),
            header_read: Some(tolerate),
            ..LayerHooks::NONE
        },
        ..Hooks::NONE
    },
};

fn tolerate(parsed: Parsed) -> Parsed {
    match parsed {
        Parsed::Malformed => Parsed::Header(ProxyHeader {
            length: 0,
            source: None,
        }),
        Parsed::Header(_) | Parsed::Incomplete => parsed,
    }
}
