//! The buffers that replies are read into.

/// Maximum bytes of one read.
const INPUT_BYTES: usize = 64 * 1024;
/// A buffer larger than this is not kept for the next partial message.
const SPARE_BYTES_MAX: usize = 256 * 1024;
/// Maximum buffers kept.
const SPARES_MAX: usize = 64;

/// What was read last. In whole pages, as requests are, and for the same reason.
#[repr(C, align(4096))]
pub(super) struct Buffer(pub(super) [u8; INPUT_BYTES]);

/// One buffer for all connections, and spare ones for partial messages.
pub(super) struct Input {
    /// Absent while its contents are being looked at.
    buffer: Option<Box<Buffer>>,
    spare: Vec<Vec<u8>>,
}

impl Input {
    pub(super) fn new() -> Self {
        Self {
            buffer: Some(Box::new(Buffer([0; INPUT_BYTES]))),
            spare: Vec::new(),
        }
    }

    /// The buffer to read into.
    #[inline(always)]
    pub(super) fn buffer(&mut self) -> Option<&mut Buffer> {
        self.buffer.as_deref_mut()
    }

    /// The first `count` bytes of what was read last.
    #[inline(always)]
    pub(super) fn read(&self, count: usize) -> &[u8] {
        self.buffer
            .as_ref()
            .map_or(&[], |buffer| &buffer.0[..count])
    }

    /// Takes the buffer out, so that its contents can be looked at while everything else changes.
    pub(super) fn take(&mut self) -> Option<Box<Buffer>> {
        self.buffer.take()
    }

    /// Puts the buffer back.
    pub(super) fn put_back(&mut self, buffer: Box<Buffer>) {
        self.buffer = Some(buffer);
    }

    /// A buffer for a partial message, with these bytes in it.
    pub(super) fn partial(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut partial = self.spare.pop().unwrap_or_default();
        partial.extend_from_slice(bytes);
        partial
    }

    /// Keeps the buffer of a partial message that has become whole.
    pub(super) fn keep(&mut self, mut buffer: Vec<u8>) {
        let fits = (1..=SPARE_BYTES_MAX).contains(&buffer.capacity());
        if fits && self.spare.len() < SPARES_MAX {
            buffer.clear();
            self.spare.push(buffer);
        }
    }
}
