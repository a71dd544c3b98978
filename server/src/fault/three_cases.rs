//! State that no single conversation reaches: it takes three clients, one after the other.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU8, Ordering};

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "three-cases",
    caught_by: super::FUZZ,
    kind: "crash",
    about: "exits after invalid UTF-8, then a NUL, then an empty line, on three connections",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(watch),
        ..Hooks::NONE
    },
};

/// Number of the three stages that this process has seen.
static SEEN: AtomicU8 = AtomicU8::new(0);

/// What one connection has sent.
#[derive(Default)]
struct ConnectionInput {
    /// The beginning of a split character.
    begun: Vec<u8>,
    /// Bytes of the line so far.
    line: usize,
    ends_in_return: bool,
    /// The connection counted as one stage and cannot count as another.
    counted: bool,
}

fn watch(scratch: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    let Received::Bytes(bytes, _) = received else {
        return;
    };
    let input = super::state::<ConnectionInput>(scratch);
    let invalid = input.has_invalid(bytes);
    let nul = bytes.contains(&0);
    let empty = input.has_empty_line(bytes);
    for (stage, is_seen) in [invalid, nul, empty].into_iter().enumerate() {
        if is_seen && !input.counted {
            input.counted = advance(stage);
        }
    }
}

/// Advances if `stage` is the next one, and returns whether it is.
fn advance(stage: usize) -> bool {
    let stage = u8::try_from(stage).unwrap_or(u8::MAX);
    let next = SEEN.compare_exchange(stage, stage + 1, Ordering::Relaxed, Ordering::Relaxed);
    if next == Ok(2) {
        super::die("three cases in order");
    }
    next.is_ok()
}

impl ConnectionInput {
    fn has_invalid(&mut self, bytes: &[u8]) -> bool {
        self.begun.extend_from_slice(bytes);
        let (valid, invalid) = match std::str::from_utf8(&self.begun) {
            Ok(whole) => (whole.len(), false),
            Err(error) if error.error_len().is_none() => (error.valid_up_to(), false),
            Err(_) => (self.begun.len(), true),
        };
        self.begun.drain(..valid);
        invalid
    }

    fn has_empty_line(&mut self, bytes: &[u8]) -> bool {
        let mut empty = false;
        for byte in bytes {
            if *byte == b'\n' {
                empty |= self.line == usize::from(self.ends_in_return);
                (self.line, self.ends_in_return) = (0, false);
                continue;
            }
            self.line += 1;
            self.ends_in_return = *byte == b'\r';
        }
        empty
    }
}
