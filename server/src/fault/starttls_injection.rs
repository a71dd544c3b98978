//! What was received in plain text behind the command is processed as if TLS had protected it
//! (CVE-2011-0411).

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, LayerHooks, Received, Scratch};
use crate::config::layer::Layer;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "starttls-injection",
    caught_by: "starttls-injection",
    kind: "accepted",
    about: "answers requests that followed STARTTLS in plain text, after the handshake",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(keep),
        layers: LayerHooks {
            layer: Some(Layer::StartTls),
            ..LayerHooks::NONE
        },
        ..Hooks::NONE
    },
};

fn keep(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    // What followed the command, which is processed with the next read.
    let kept = super::state::<Vec<u8>>(scratch);
    bytes.splice(..0, kept.drain(..));
    let command = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .scan(0, |end, line| {
            *end += line.len();
            Some((*end, line))
        });
    let mut commands = command.filter(|(_, line)| line.trim_ascii_end() == b"STARTTLS");
    if let Some((end, _)) = commands.next() {
        kept.extend(bytes.drain(end..));
    }
}
