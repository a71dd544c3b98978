//! Frames that come back: a big-endian `u32` length, then as many bytes.
//!
//! A frame of more than `max_message` bytes with its header is answered by a frame that holds
//! `ERR frame too long`, and the connection ends. Memory follows the bytes that came, never the
//! length that was announced.

use super::{Flow, Service};

const HEADER: usize = 4;
const TOO_LONG: &[u8] = b"ERR frame too long";

/// Echoes frames.
pub(super) struct Frame {
    max: usize,
    /// The beginning of a frame, with its header.
    partial: Vec<u8>,
}

impl Frame {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            partial: Vec::new(),
        }
    }

    /// Moves bytes to the unfinished frame until it has `size` of them, or the input ends.
    fn fill<'a>(&mut self, input: &'a [u8], size: usize) -> &'a [u8] {
        let missing = size.saturating_sub(self.partial.len());
        let (taken, rest) = input.split_at(missing.min(input.len()));
        self.partial.extend_from_slice(taken);
        rest
    }

    fn refuse(&mut self, out: &mut Vec<u8>) -> Flow {
        self.partial = Vec::new();
        out.extend_from_slice(&framed(TOO_LONG));
        Flow::Close
    }
}

impl Service for Frame {
    fn on_bytes(&mut self, input: &[u8], out: &mut Vec<u8>) -> Flow {
        let mut rest = input;
        while !rest.is_empty() {
            if self.partial.is_empty()
                && let Some(size) = size(rest)
                && size <= self.max
                && size <= rest.len()
            {
                // The common case, a whole frame in one piece, is copied once.
                let (frame, tail) = rest.split_at(size);
                out.extend_from_slice(frame);
                rest = tail;
                continue;
            }
            rest = self.fill(rest, HEADER);
            let Some(size) = size(&self.partial) else {
                break;
            };
            if size > self.max {
                return self.refuse(out);
            }
            rest = self.fill(rest, size);
            if self.partial.len() == size {
                out.extend_from_slice(&self.partial);
                self.partial.clear();
            }
        }
        Flow::Continue
    }

    fn in_flight(&self) -> bool {
        !self.partial.is_empty()
    }

    fn buffered(&self) -> usize {
        self.partial.capacity()
    }
}

/// The size of the frame that begins here, header included, once its header is there.
pub(super) fn size(bytes: &[u8]) -> Option<usize> {
    let header = bytes.first_chunk::<HEADER>()?;
    let length = usize::try_from(u32::from_be_bytes(*header)).unwrap_or(usize::MAX);
    Some(length.saturating_add(HEADER))
}

/// A short message of our own as a frame.
pub(super) fn framed(body: &'static [u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], body].concat()
}
