//! Receive buffers.

/// Maximum number of bytes per read.
const INPUT_BYTES: usize = 64 * 1024;
/// Largest buffer, in bytes, that is kept for the next partial message.
const SPARE_BYTES_MAX: usize = 256 * 1024;
/// Maximum number of spare buffers.
const SPARES_MAX: usize = 64;

/// The receive buffer, aligned to pages because copies from the kernel to whole pages are cheaper.
#[repr(C, align(4096))]
pub(super) struct Buffer(pub(super) [u8; INPUT_BYTES]);

/// One receive buffer for all connections, and spare buffers for partial messages.
pub(super) struct Input {
    /// `None` while its contents are being processed.
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

    /// The first `count` bytes of the last read.
    #[inline(always)]
    pub(super) fn read(&self, count: usize) -> &[u8] {
        self.buffer
            .as_ref()
            .map_or(&[], |buffer| &buffer.0[..count])
    }

    /// Takes the buffer, so that its contents can be processed while the engine is borrowed mutably.
    pub(super) fn take(&mut self) -> Option<Box<Buffer>> {
        self.buffer.take()
    }

    /// Returns the buffer after [`Self::take`].
    pub(super) fn put_back(&mut self, buffer: Box<Buffer>) {
        self.buffer = Some(buffer);
    }

    /// A buffer for a partial message that starts with these bytes.
    pub(super) fn partial(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut partial = self.spare.pop().unwrap_or_default();
        partial.extend_from_slice(bytes);
        partial
    }

    /// Recycles the buffer of a partial message that is complete.
    pub(super) fn keep(&mut self, mut buffer: Vec<u8>) {
        let fits = (1..=SPARE_BYTES_MAX).contains(&buffer.capacity());
        if fits && self.spare.len() < SPARES_MAX {
            buffer.clear();
            self.spare.push(buffer);
        }
    }
}
