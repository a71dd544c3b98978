//! Messages that announce their length in a binary field of a header.

use super::{FrameError, MESSAGE_BYTES_MAX};
use crate::talk::uint::Uint;

/// A header that contains the message's length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LenFrame {
    /// Width and byte order of the field.
    pub field: Uint,
    /// Offset of the field in the header.
    pub at: usize,
    /// Size of the whole header, in bytes.
    pub header: usize,
    /// Which bytes the length counts.
    pub counts: LengthScope,
    /// The header's other bytes in requests; as long as the header, zeros by default.
    pub fill: Vec<u8>,
}

/// Which bytes a length counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthScope {
    /// The bytes after the header (MySQL).
    Body,
    /// All bytes from the start of the field (PostgreSQL): `includes_self = true`.
    FromField,
    /// The whole message, including the header (BGP): `includes_header = true`.
    Whole,
}

impl LenFrame {
    /// A header that consists of the length of the body.
    pub fn plain(field: Uint) -> Self {
        Self {
            field,
            at: 0,
            header: field.width,
            counts: LengthScope::Body,
            fill: vec![0; field.width],
        }
    }

    /// Whether the field can hold the length of such a body.
    pub fn fits(&self, body_len: usize) -> bool {
        self.announced(body_len) <= self.field.max()
    }

    /// The number that announces a body of this length.
    fn announced(&self, body_len: usize) -> u64 {
        let extra = self.header - self.base();
        (body_len as u64).saturating_add(extra as u64)
    }

    /// The offset from which the length counts.
    fn base(&self) -> usize {
        match self.counts {
            LengthScope::Body => self.header,
            LengthScope::FromField => self.at,
            LengthScope::Whole => 0,
        }
    }

    /// Appends header and body to `out`.
    pub(crate) fn wrap_into(&self, body: &[u8], out: &mut Vec<u8>) {
        out.reserve(self.header + body.len());
        let start = out.len();
        out.extend_from_slice(&self.fill);
        out.resize(start + self.header, 0);
        let number = self.announced(body.len()).min(self.field.max());
        self.field.put(number, &mut out[start + self.at..]);
        out.extend_from_slice(body);
    }

    /// The length of the message at the start of `buffer`, once its header is complete.
    pub(super) fn message_len(&self, buffer: &[u8]) -> Result<Option<usize>, FrameError> {
        let Some(header) = buffer.get(..self.header) else {
            return Ok(None);
        };
        let number = self.field.get(&header[self.at..]);
        let declared = number.saturating_add(self.base() as u64);
        if declared > MESSAGE_BYTES_MAX as u64 {
            return Err(FrameError::TooLong { declared });
        }
        if declared < self.header as u64 {
            return Err(FrameError::Malformed {
                frame: "a length-prefixed message",
                why: format!("its length {number} is shorter than its own header"),
            });
        }
        Ok(usize::try_from(declared).ok())
    }

    pub(super) fn describe(&self) -> String {
        let counts = match self.counts {
            LengthScope::Body => "",
            LengthScope::FromField => ", itself included",
            LengthScope::Whole => ", header included",
        };
        format!(
            "{} length at {} of a header of {}{counts}",
            self.field, self.at, self.header
        )
    }
}
