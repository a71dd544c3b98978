//! Bytes from the socket that a layer has not used yet.

use std::io;

use crate::transport::Transport;

/// A queue of received bytes.
pub(super) struct RawInput {
    /// Maximum bytes of one read.
    read_max: usize,
    bytes: Vec<u8>,
    used: usize,
}

impl RawInput {
    pub(super) fn new(read_max: usize) -> Self {
        Self {
            read_max: read_max.max(1),
            bytes: Vec::new(),
            used: 0,
        }
    }

    /// The bytes that have not been used.
    pub(super) fn unused(&self) -> &[u8] {
        &self.bytes[self.used..]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.unused().is_empty()
    }

    /// Removes the first `count` bytes.
    pub(super) fn consume(&mut self, count: usize) {
        self.used += count;
    }

    pub(super) fn clear(&mut self) {
        self.used = self.bytes.len();
    }

    /// Reads once and appends the bytes. Returns their number, 0 at the end of the stream.
    pub(super) fn fill(&mut self, below: &mut dyn Transport) -> io::Result<usize> {
        self.bytes.drain(..self.used);
        self.used = 0;
        let length = self.bytes.len();
        self.bytes.resize(length + self.read_max, 0);
        let result = below.try_read(&mut self.bytes[length..]);
        self.bytes
            .truncate(length + result.as_ref().copied().unwrap_or(0));
        result
    }

    /// Moves bytes to the buffer; reads into it if there are none.
    pub(super) fn read(
        &mut self,
        below: &mut dyn Transport,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        if self.is_empty() {
            return below.try_read(buffer);
        }
        let count = self.unused().len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.unused()[..count]);
        self.consume(count);
        Ok(count)
    }
}
