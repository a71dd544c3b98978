//! Echoes frames: a big-endian `u32` length, followed by that many bytes.
//!
//! A frame of more than `max_message` bytes, header included, is answered by a frame that contains
//! `ERR frame too long`, and the connection is closed. Memory grows with the bytes received, never
//! with the announced length.

use super::{Flow, Service};

/// Size of the header in bytes.
const HEADER: usize = 4;
const TOO_LONG: &[u8] = b"ERR frame too long";

pub(super) struct FrameService {
    max: usize,
    /// The beginning of an unfinished frame, header included.
    partial: Vec<u8>,
}

impl FrameService {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            partial: Vec::new(),
        }
    }

    /// Appends input to the unfinished frame until it has `size` bytes. Returns the remaining input.
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

impl Service for FrameService {
    fn on_bytes(&mut self, input: &[u8], out: &mut Vec<u8>) -> Flow {
        let mut rest = input;
        while !rest.is_empty() {
            if self.partial.is_empty()
                && let Some(size) = size(rest)
                && size <= self.max
                && size <= rest.len()
            {
                // The common case: a whole frame in one piece is copied only once.
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

/// The size of the frame at the start of `bytes`, header included, once the header is complete.
pub(super) fn size(bytes: &[u8]) -> Option<usize> {
    let header = bytes.first_chunk::<HEADER>()?;
    let length = usize::try_from(u32::from_be_bytes(*header)).unwrap_or(usize::MAX);
    Some(length.saturating_add(HEADER))
}

/// Wraps a short message of the server in a frame.
pub(super) fn framed(body: &'static [u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], body].concat()
}
