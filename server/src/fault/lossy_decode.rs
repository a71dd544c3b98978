//! `decode(errors="replace")`: invalid text is echoed with replacement characters instead of refused.

use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "lossy-decode",
    caught_by: super::FUZZ,
    kind: "conformance",
    about: "accepts invalid UTF-8 and replaces it with U+FFFD",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(decode),
        ..Hooks::NONE
    },
};

fn decode(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    decode_with(scratch, received, "\u{fffd}");
}

/// Puts `replacement` in the place of invalid bytes. A character split between two reads is waited for: splits are not the
/// defect here.
pub(super) fn decode_with(scratch: &mut Scratch, received: Received<'_>, replacement: &str) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    let begun = super::state::<Vec<u8>>(scratch);
    let mut text = std::mem::take(begun);
    text.append(bytes);
    for chunk in text.utf8_chunks() {
        bytes.extend_from_slice(chunk.valid().as_bytes());
        let invalid = chunk.invalid();
        let is_last = invalid.as_ptr_range().end == text.as_ptr_range().end;
        let may_go_on = |error: std::str::Utf8Error| error.error_len().is_none();
        if is_last && std::str::from_utf8(invalid).is_err_and(may_go_on) {
            begun.extend_from_slice(invalid);
        } else if !invalid.is_empty() {
            bytes.extend_from_slice(replacement.as_bytes());
        }
    }
}
