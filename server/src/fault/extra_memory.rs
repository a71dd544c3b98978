//! Memory that is allocated at start and never used, like a table that grew with a release.

use std::hint;

use socket2::Socket;

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "extra-memory",
    caught_by: super::GATE,
    kind: "rss",
    about: "keeps 8 MiB of memory that it never uses",
    protocol: Protocol::Line,
    model: Model::TokioMulti,
    hooks: Hooks {
        before_listen: Some(keep),
        ..Hooks::NONE
    },
};

/// Bytes kept.
const BYTES: usize = 8 << 20;

fn keep(_: &Socket) {
    // Nonzero bytes: the kernel does not allocate pages for zeros until they are used.
    let kept = vec![1_u8; BYTES];
    hint::black_box(kept.leak());
}
