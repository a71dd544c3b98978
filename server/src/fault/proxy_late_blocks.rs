//! The accepting thread reads the header itself, so a proxy that is slow holds up all others.

use std::io;
use std::os::fd::BorrowedFd;

use super::{Fault, peek};
use crate::config::hooks::{Hooks, LayerHooks, Retry};
use crate::config::layer::Layer;
use crate::proxy::{self, Parsed};
use crate::{Model, Protocol, ProxyVersion};

pub(super) const FAULT: Fault = Fault {
    name: "proxy-late-blocks",
    caught_by: "proxy-late",
    kind: "blocked",
    about: "waits for the PROXY header of a connection before it accepts the next one",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_accept: Some(wait_for_header),
        layers: LayerHooks {
            layer: Some(Layer::Proxy),
            ..LayerHooks::NONE
        },
        ..Hooks::NONE
    },
};

fn wait_for_header(_: BorrowedFd<'_>, accepted: Result<BorrowedFd<'_>, &io::Error>) -> Retry {
    accepted.map_or_else(Retry::after, |stream| {
        peek::wait(stream, |begun| {
            let is_begun = proxy::parse(begun, ProxyVersion::Any) == Parsed::Incomplete;
            usize::from(is_begun)
        });
        Retry::Now
    })
}
