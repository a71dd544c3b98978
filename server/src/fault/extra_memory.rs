//! Memory that is kept from the start and never used: a table that grew with a release.

use std::hint;

use socket2::Socket;

use super::Fault;
use crate::hooks::Hooks;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "extra-memory",
    caught_by: super::GATE,
    kind: "rss",
    about: "keeps 8 MiB that nobody needs",
    protocol: Protocol::Line,
    model: Model::TokioMulti,
    hooks: Hooks {
        before_listen: Some(keep),
        ..Hooks::NONE
    },
};

const BYTES: usize = 8 << 20;

fn keep(_: &Socket) {
    // Not zeros: the kernel would not give them room before they are used.
    let kept = vec![1_u8; BYTES];
    hint::black_box(kept.leak());
}
