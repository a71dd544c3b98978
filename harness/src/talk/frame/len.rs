//! Messages that announce their length in a header.

use std::ops::Range;

use super::length::LengthCode;
use super::{FrameError, MESSAGE_BYTES_MAX};
use crate::talk::template::RenderError;
use crate::talk::uint::Uint;
use crate::text::escape;
use crate::text::varint::Scanned;

/// A header that contains the message's length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LenFrame {
    /// How the length is written.
    pub code: LengthCode,
    /// The bits of a binary field that hold the length, if not all of them do, and the value of the others in requests.
    pub bits: Option<LengthBits>,
    /// The header's bytes before the length in requests. A turn may have others, but as many.
    pub before: Vec<u8>,
    /// The header's bytes after the length in requests.
    pub between: Vec<u8>,
    /// Which bytes the length counts.
    pub counts: LengthScope,
    /// Number of bytes after the counted ones that also belong to the body.
    pub trailer: usize,
    /// The bytes that end every message. They are neither counted nor part of the body.
    pub after: Vec<u8>,
}

/// The bits of a field that hold a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LengthBits {
    /// A run of bits.
    pub mask: u64,
    /// The value of the other bits in requests.
    pub others: u64,
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

/// The header of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LenHeader {
    /// The place of the length.
    pub(crate) field: Range<usize>,
    /// The length as it is written.
    pub(crate) number: u64,
    /// Size of the header in bytes.
    pub(crate) size: usize,
}

impl LenFrame {
    /// A header that consists of a binary length of the body.
    pub fn plain(field: Uint) -> Self {
        Self::of(LengthCode::Binary(field))
    }

    /// A header that consists of the length of the body.
    pub fn of(code: LengthCode) -> Self {
        Self {
            code,
            bits: None,
            before: Vec::new(),
            between: Vec::new(),
            counts: LengthScope::Body,
            trailer: 0,
            after: Vec::new(),
        }
    }

    /// Whether the field can hold the length of such a body.
    pub fn fits(&self, body_len: usize) -> bool {
        self.announced(body_len) <= self.number_max()
    }

    /// The largest number that the field can hold.
    pub fn number_max(&self) -> u64 {
        match self.bits {
            Some(bits) => (self.code.max() & bits.mask) >> bits.shift(),
            None => self.code.max(),
        }
    }

    /// Whether a message of which the body is known is known byte for byte.
    pub(super) fn is_only_length(&self) -> bool {
        let fixed = self.before.is_empty() && self.between.is_empty() && self.bits.is_none();
        // The same number in another form is the same length.
        fixed && matches!(self.code, LengthCode::Binary(_))
    }

    /// The number that announces a body of this length.
    pub(crate) fn announced(&self, body_len: usize) -> u64 {
        let counted = body_len.saturating_sub(self.trailer) as u64;
        let mut size = self.field_size(counted);
        // A length that counts itself may need one more digit.
        loop {
            let extra = match self.counts {
                LengthScope::Body => 0,
                LengthScope::FromField => size + self.between.len(),
                LengthScope::Whole => self.before.len() + size + self.between.len(),
            };
            let number = counted.saturating_add(extra as u64);
            let needed = self.field_size(number);
            if needed <= size {
                return number;
            }
            size = needed;
        }
    }

    fn field_size(&self, number: u64) -> usize {
        self.code.fixed_size().unwrap_or_else(|| {
            let mut field = Vec::new();
            self.code.put(number, &mut field);
            field.len()
        })
    }

    /// Appends the field.
    pub(crate) fn put(&self, number: u64, out: &mut Vec<u8>) {
        let number = number.min(self.number_max());
        match self.bits {
            Some(bits) => {
                let others = bits.others & !bits.mask & self.code.max();
                self.code.put(number << bits.shift() | others, out);
            }
            None => self.code.put(number, out),
        }
    }

    /// The field with another number; bits that are no part of it stay.
    pub(crate) fn rewritten(&self, field: &[u8], number: u64) -> Vec<u8> {
        let mut written = Vec::new();
        match (self.bits, self.code.scan(field)) {
            (Some(bits), Scanned::Number(old, _)) => {
                let number = number.min(self.number_max()) << bits.shift();
                self.code.put(number | old & !bits.mask, &mut written);
            }
            _ => self.put(number, &mut written),
        }
        written
    }

    /// Appends the header that announces `number`.
    pub(crate) fn put_header(&self, number: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before);
        self.put(number, out);
        out.extend_from_slice(&self.between);
    }

    /// Appends a whole message. A length beyond the field's maximum is written as the maximum.
    pub(crate) fn wrap_into(&self, body: &[u8], out: &mut Vec<u8>) {
        self.put_header(self.announced(body.len()), out);
        out.extend_from_slice(body);
        out.extend_from_slice(&self.after);
    }

    /// Appends a whole message with these bytes before its length.
    pub(super) fn enclose(
        &self,
        head: Option<&[u8]>,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), RenderError> {
        let (before, expected) = (head.unwrap_or(&self.before), self.before.len());
        if before.len() != expected {
            let got = before.len();
            return Err(RenderError::Head { expected, got });
        }
        if body.len() < self.trailer {
            return Err(RenderError::Trailer {
                len: body.len(),
                trailer: self.trailer,
            });
        }
        if !self.fits(body.len()) {
            return Err(RenderError::TooLong {
                len: body.len(),
                field: self.code.to_string(),
            });
        }
        let start = out.len();
        self.wrap_into(body, out);
        out[start..start + expected].copy_from_slice(before);
        Ok(())
    }

    /// The header at the start of `message`, once it is complete.
    pub(crate) fn header(&self, message: &[u8]) -> Result<Option<LenHeader>, FrameError> {
        let at = self.before.len();
        let Some(field) = message.get(at..) else {
            return Ok(None);
        };
        let (number, size) = match self.code.scan(field) {
            Scanned::Number(number, size) => (number, size),
            Scanned::Partial => return Ok(None),
            Scanned::Wrong(what) => {
                let shown = escape(&field[..field.len().min(24)], 40);
                return Err(malformed(format!("{what}: \"{shown}\"")));
            }
        };
        let header = LenHeader {
            field: at..at + size,
            number: match self.bits {
                Some(bits) => (number & bits.mask) >> bits.shift(),
                None => number,
            },
            size: at + size + self.between.len(),
        };
        Ok(Some(header).filter(|header| header.size <= message.len()))
    }

    /// Number of bytes that this header counts after itself; `None` if it is too small to count itself.
    pub(crate) fn counted(&self, header: &LenHeader) -> Option<u64> {
        let own = match self.counts {
            LengthScope::Body => 0,
            LengthScope::FromField => header.size - header.field.start,
            LengthScope::Whole => header.size,
        };
        match header.number.checked_sub(own as u64) {
            // Git's flush, delimiter and response-end packets: 0000, 0001 and 0002.
            None if matches!(self.code, LengthCode::Digits(_)) => Some(0),
            counted => counted,
        }
    }

    /// The length of the message at the start of `buffer`, once its header is complete.
    pub(super) fn message_len(&self, buffer: &[u8]) -> Result<Option<usize>, FrameError> {
        let Some(header) = self.header(buffer)? else {
            return Ok(None);
        };
        let Some(counted) = self.counted(&header) else {
            let number = header.number;
            return Err(malformed(format!(
                "its length {number} is shorter than its own header"
            )));
        };
        let others = header.size + self.trailer + self.after.len();
        let declared = counted.saturating_add(others as u64);
        let len = usize::try_from(declared).unwrap_or(usize::MAX);
        if len > MESSAGE_BYTES_MAX {
            return Err(FrameError::TooLong { declared });
        }
        match buffer.get(..len) {
            Some(message) if !message.ends_with(&self.after) => {
                let end = &message[len - self.after.len()..];
                let (end, after) = (escape(end, 20), escape(&self.after, 20));
                Err(malformed(format!(
                    "it ends with \"{end}\" instead of \"{after}\""
                )))
            }
            _ => Ok(Some(len)),
        }
    }

    /// The part of a message that is the body.
    pub(super) fn body<'a>(&self, message: &'a [u8]) -> &'a [u8] {
        let Ok(Some(header)) = self.header(message) else {
            return &[];
        };
        let end = message.len().saturating_sub(self.after.len());
        message.get(header.size..end).unwrap_or_default()
    }

    pub(super) fn describe(&self) -> String {
        let counts = match self.counts {
            LengthScope::Body => "",
            LengthScope::FromField => ", itself included",
            LengthScope::Whole => ", header included",
        };
        let at = self.before.len();
        let place = match self.code.fixed_size() {
            Some(size) => format!(" at {at} of a header of {}", at + size + self.between.len()),
            None if at > 0 => format!(" at {at}"),
            None => String::new(),
        };
        format!("{} length{place}{counts}", self.code)
    }
}

impl LengthBits {
    fn shift(self) -> u32 {
        self.mask.trailing_zeros()
    }
}

fn malformed(why: String) -> FrameError {
    FrameError::Malformed {
        frame: "a length-prefixed message",
        why,
    }
}
