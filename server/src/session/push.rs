//! Messages that the server sends without a request.

use std::time::{Duration, Instant};

/// Size of a message in bytes.
const MESSAGE_BYTES: usize = 8_192;

/// The messages of one connection.
pub(super) struct Pushes {
    every: Duration,
    /// When the next one is due.
    next: Instant,
}

impl Pushes {
    pub(super) fn new(every: Duration, now: Instant) -> Self {
        Self {
            every,
            next: now + every,
        }
    }

    pub(super) fn next_due(&self) -> Instant {
        self.next
    }

    /// Appends a message if one is due. A peer that does not read, and has no room left, misses it.
    pub(super) fn make(&mut self, now: Instant, has_room: bool, out: &mut Vec<u8>) {
        if now < self.next {
            return;
        }
        self.next = now + self.every;
        if has_room {
            out.extend_from_slice(b"PUSH ");
            out.resize(out.len() + MESSAGE_BYTES - 6, b'.');
            out.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_without_room_misses_messages() {
        let begun = Instant::now();
        let every = Duration::from_millis(10);
        let mut pushes = Pushes::new(every, begun);
        let mut out = Vec::new();
        pushes.make(begun, true, &mut out);
        assert!(out.is_empty());
        pushes.make(begun + every, true, &mut out);
        assert_eq!((out.len(), out.last()), (MESSAGE_BYTES, Some(&b'\n')));
        pushes.make(begun + every * 2, false, &mut out);
        assert_eq!(out.len(), MESSAGE_BYTES);
        assert_eq!(pushes.next_due(), begun + every * 3);
    }
}
