//! Messages whose length is in a named header field, followed by an empty line: the base protocol of language servers
//! and debug adapters.

use super::{FrameError, MESSAGE_BYTES_MAX};
use crate::text::escape;

/// Maximum size of the header in bytes, including its empty line.
pub(super) const HEAD_BYTES_MAX: usize = 64 << 10;

/// A header with a field that contains the length of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderFrame {
    /// Name of the field, in any case.
    pub name: String,
}

/// Whether a line, including its `\n`, is empty.
pub(super) fn is_empty(line: &[u8]) -> bool {
    matches!(line, b"\n" | b"\r\n")
}

impl HeaderFrame {
    /// Appends a whole message.
    pub(super) fn wrap_into(&self, body: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{}: {}\r\n\r\n", self.name, body.len()).as_bytes());
        out.extend_from_slice(body);
    }

    /// The end of a message with this header.
    pub(super) fn message_len(&self, head: &[u8]) -> Result<usize, FrameError> {
        if head.len() > HEAD_BYTES_MAX {
            return Err(endless());
        }
        let mut length = None;
        for line in head.split_inclusive(|byte| *byte == b'\n') {
            let Some(value) = self.value(line) else {
                continue;
            };
            let number = number(value)
                .ok_or_else(|| malformed(format!("{} \"{}\"", self.name, escape(value, 40))))?;
            if length.is_some_and(|other| other != number) {
                return Err(malformed(format!("two different {}s", self.name)));
            }
            length = Some(number);
        }
        let Some(length) = length else {
            let shown = escape(head, 60);
            return Err(malformed(format!("no {} in \"{shown}\"", self.name)));
        };
        let declared = length.saturating_add(head.len() as u64);
        let end = usize::try_from(declared).ok();
        end.filter(|end| *end <= MESSAGE_BYTES_MAX)
            .ok_or(FrameError::TooLong { declared })
    }

    /// The value of the field, if this line is the field.
    fn value<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        let colon = memchr::memchr(b':', line)?;
        let is_it = line[..colon].eq_ignore_ascii_case(self.name.as_bytes());
        is_it.then(|| line[colon + 1..].trim_ascii())
    }

    /// The part of a message after its header.
    pub(super) fn body<'a>(&self, message: &'a [u8]) -> &'a [u8] {
        &message[head_len(message)..]
    }
}

/// Length of the header of a message, including the empty line.
pub(crate) fn head_len(message: &[u8]) -> usize {
    let mut len = 0;
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        len += line.len();
        if is_empty(line) {
            break;
        }
    }
    len
}

/// A number that consists of digits only; values beyond 64 bits saturate.
fn number(digits: &[u8]) -> Option<u64> {
    let add = |number: u64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(number.saturating_mul(10).saturating_add(digit))
    };
    let read = digits.iter().try_fold(0, add);
    read.filter(|_| !digits.is_empty())
}

pub(super) fn endless() -> FrameError {
    malformed(format!("a header of more than {HEAD_BYTES_MAX} bytes"))
}

fn malformed(why: String) -> FrameError {
    FrameError::Malformed {
        frame: "a message with a header",
        why,
    }
}
