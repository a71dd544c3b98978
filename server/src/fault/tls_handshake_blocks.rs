//! `accept` of a TLS library returns after the handshake: called in the accepting thread, it lets a client
//! that stalls hold up all others.

use std::io;
use std::os::fd::BorrowedFd;

use super::{Fault, peek};
use crate::config::hooks::{Hooks, LayerHooks, Retry};
use crate::config::layer::Layer;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "tls-handshake-blocks",
    caught_by: "tls-stalled-handshake",
    kind: "blocked",
    about: "waits for the ClientHello of a connection before it accepts the next one",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_accept: Some(wait_for_hello),
        layers: LayerHooks {
            layer: Some(Layer::Tls),
            ..LayerHooks::NONE
        },
        ..Hooks::NONE
    },
};

/// Size of the header of a record, in bytes: type, version and length (RFC 8446, 5.1).
const HEADER: usize = 5;

fn wait_for_hello(_: BorrowedFd<'_>, accepted: Result<BorrowedFd<'_>, &io::Error>) -> Retry {
    accepted.map_or_else(Retry::after, |stream| {
        peek::wait(stream, missing);
        Retry::Now
    })
}

/// The number of bytes that the first record lacks.
fn missing(begun: &[u8]) -> usize {
    let Some([_, _, _, high, low]) = begun.first_chunk::<HEADER>() else {
        return HEADER - begun.len();
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    (HEADER + length).saturating_sub(begun.len())
}
