//! HTTP/1.x messages (RFC 9112), requests and replies.
//!
//! The request that a reply belongs to is unknown here, so a reply to HEAD is assumed to have the
//! body that it announces. A 1xx reply is a message of its own.

use std::borrow::Cow;

use memchr::memchr;

use super::{FrameError, MESSAGE_BYTES_MAX, head_len};
use crate::text::escape;

/// Maximum size of a head or a chunk's first line, in bytes.
const LINE_BYTES_MAX: usize = 64 << 10;

#[derive(Debug, Clone, Default)]
pub(super) struct HttpState {
    /// Start of the current line or body.
    at: usize,
    /// There is no line end between `at` and this offset.
    scanned: usize,
    part: HttpPart,
    head: Head,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum HttpPart {
    #[default]
    StartLine,
    Fields,
    /// Ends at this offset.
    Body(usize),
    ChunkSize,
    /// A chunk and its line end, up to this offset.
    Chunk(usize),
    Trailers,
    UntilEof,
}

/// The parts of a head that determine where the message ends.
#[derive(Debug, Clone, Default)]
struct Head {
    /// `None` for a request.
    status: Option<u16>,
    content_length: Option<u64>,
    transfer_encoding: bool,
    chunked: bool,
}

/// Whether the head of this message says that its sender closes the connection after it.
pub(in crate::talk) fn announces_close(message: &[u8]) -> bool {
    const NAME: &[u8] = b"connection:";
    let lines = message.split(|byte| *byte == b'\n').skip(1);
    let head = lines.take_while(|line| !line.trim_ascii().is_empty());
    let mut values = head.filter_map(|line| {
        let (name, value) = line.split_at_checked(NAME.len())?;
        name.eq_ignore_ascii_case(NAME).then_some(value)
    });
    values.any(|value| {
        let mut options = value.split(|byte| *byte == b',');
        options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
    })
}

impl HttpState {
    /// Whether the message ends with the stream.
    pub(super) fn ends_at_eof(&self) -> bool {
        self.part == HttpPart::UntilEof
    }

    pub(super) fn look(&mut self, buffer: &[u8]) -> Result<Option<usize>, FrameError> {
        loop {
            let end = match self.part {
                HttpPart::UntilEof => return Ok(None),
                HttpPart::Body(end) => return Ok(Some(end).filter(|end| *end <= buffer.len())),
                HttpPart::Chunk(end) => {
                    let Some(chunk) = buffer.get(..end) else {
                        return Ok(None);
                    };
                    if !chunk.ends_with(b"\r\n") {
                        return Err(malformed("a chunk is longer than its size".to_owned()));
                    }
                    self.move_to(HttpPart::ChunkSize, end);
                    continue;
                }
                _ => self.line_end(buffer)?,
            };
            let Some(end) = end else {
                return Ok(None);
            };
            let line = &buffer[self.at..end];
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if let Some(len) = self.line(line, end)? {
                return Ok(Some(len));
            }
        }
    }

    fn move_to(&mut self, part: HttpPart, at: usize) {
        self.part = part;
        self.at = at;
        self.scanned = at;
    }

    fn line_end(&mut self, buffer: &[u8]) -> Result<Option<usize>, FrameError> {
        let found = memchr(b'\n', &buffer[self.scanned.min(buffer.len())..]);
        let found = found.map(|at| self.scanned + at + 1);
        let in_head = matches!(
            self.part,
            HttpPart::StartLine | HttpPart::Fields | HttpPart::Trailers
        );
        let from = if in_head && self.part != HttpPart::Trailers {
            0
        } else {
            self.at
        };
        if found.unwrap_or(buffer.len()) - from > LINE_BYTES_MAX {
            return Err(malformed(format!(
                "a head or line is longer than {LINE_BYTES_MAX} bytes"
            )));
        }
        if found.is_none() {
            self.scanned = buffer.len();
        }
        Ok(found)
    }

    /// Processes one line; `end` is the offset after it. Returns the message's length if it ends
    /// here.
    fn line(&mut self, line: &[u8], end: usize) -> Result<Option<usize>, FrameError> {
        match self.part {
            HttpPart::StartLine => {
                self.head.status = status(line)?;
                self.move_to(HttpPart::Fields, end);
            }
            HttpPart::Fields if line.is_empty() => {
                let body = self.head.body(end)?;
                self.move_to(body, end);
            }
            HttpPart::Fields => {
                self.head.field(line)?;
                self.move_to(HttpPart::Fields, end);
            }
            HttpPart::ChunkSize => {
                let size = chunk_size(line)?;
                let chunk_end = checked_end(end, size.saturating_add(2))?;
                let part = if size == 0 {
                    HttpPart::Trailers
                } else {
                    HttpPart::Chunk(chunk_end)
                };
                self.move_to(part, end);
            }
            HttpPart::Trailers if line.is_empty() => {
                self.move_to(HttpPart::Body(end), end);
            }
            HttpPart::Trailers => self.move_to(HttpPart::Trailers, end),
            HttpPart::Body(_) | HttpPart::Chunk(_) | HttpPart::UntilEof => {}
        }
        Ok(None)
    }
}

impl Head {
    fn field(&mut self, line: &[u8]) -> Result<(), FrameError> {
        let Some(colon) = memchr(b':', line) else {
            return Err(malformed(format!("header line \"{}\"", escape(line, 60))));
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = digits(value, 10)
                .ok_or_else(|| malformed(format!("Content-Length \"{}\"", escape(value, 40))))?;
            if self.content_length.is_some_and(|other| other != length) {
                return Err(malformed("two different Content-Lengths".to_owned()));
            }
            self.content_length = Some(length);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let last = value
                .rsplit(|byte| *byte == b',')
                .next()
                .unwrap_or_default();
            self.transfer_encoding = true;
            self.chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
        }
        Ok(())
    }

    /// The length of the body that starts at `start` (RFC 9112 section 6.3).
    fn body(&self, start: usize) -> Result<HttpPart, FrameError> {
        if matches!(self.status, Some(100..=199 | 204 | 304)) {
            return Ok(HttpPart::Body(start));
        }
        if self.chunked {
            return Ok(HttpPart::ChunkSize);
        }
        match (self.transfer_encoding, self.content_length, self.status) {
            (true, _, None) => Err(malformed(
                "a request whose last transfer coding is not chunked".to_owned(),
            )),
            (true, _, Some(_)) | (false, None, Some(_)) => Ok(HttpPart::UntilEof),
            (false, Some(length), _) => Ok(HttpPart::Body(checked_end(start, length)?)),
            (false, None, None) => Ok(HttpPart::Body(start)),
        }
    }
}

/// The body of a message, without the sizes of its chunks.
pub(super) fn content(message: &[u8]) -> Cow<'_, [u8]> {
    let start = head_len(message);
    let (head, body) = message.split_at(start);
    let mut fields = Head::default();
    let lines = head.split(|byte| *byte == b'\n').skip(1);
    for line in lines.filter(|line| !line.trim_ascii().is_empty()) {
        // The decoder has accepted the head before.
        let _ = fields.field(line);
    }
    match fields.chunked {
        true => chunks(body).into(),
        false => body.into(),
    }
}

/// The content of the chunks, as far as they are complete.
fn chunks(body: &[u8]) -> Vec<u8> {
    let (mut content, mut rest) = (Vec::new(), body);
    while let Some(end) = memchr(b'\n', rest) {
        let size = chunk_size(rest[..end].trim_ascii_end()).unwrap_or(0);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let Some(chunk) = rest[end + 1..].get(..size).filter(|_| size > 0) else {
            break;
        };
        content.extend_from_slice(chunk);
        rest = rest[end + 1 + size..]
            .strip_prefix(b"\r\n")
            .unwrap_or_default();
    }
    content
}

/// The status code of a reply, `None` for a request.
fn status(line: &[u8]) -> Result<Option<u16>, FrameError> {
    let wrong = || malformed(format!("start line \"{}\"", escape(line, 60)));
    if let Some(rest) = line.strip_prefix(b"HTTP/1.") {
        let code = rest.get(1..5).and_then(|code| code.strip_prefix(b" "));
        let ends = matches!(rest.get(5), None | Some(b' '));
        let status = code.filter(|_| ends).and_then(|code| digits(code, 10));
        let status = status.and_then(|status| u16::try_from(status).ok());
        return status
            .filter(|status| *status >= 100)
            .map(Some)
            .ok_or_else(wrong);
    }
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    match words.as_slice() {
        [method, target, version]
            if !method.is_empty() && !target.is_empty() && version.starts_with(b"HTTP/1.") =>
        {
            Ok(None)
        }
        _ => Err(wrong()),
    }
}

fn chunk_size(line: &[u8]) -> Result<u64, FrameError> {
    let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
    digits(size.trim_ascii(), 16)
        .ok_or_else(|| malformed(format!("chunk size \"{}\"", escape(line, 40))))
}

/// A number that consists of digits only; values beyond 64 bits saturate.
fn digits(text: &[u8], radix: u32) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = char::from(*byte).to_digit(radix)?;
        Some(
            number
                .saturating_mul(u64::from(radix))
                .saturating_add(u64::from(digit)),
        )
    })
}

fn checked_end(start: usize, length: u64) -> Result<usize, FrameError> {
    let declared = length.saturating_add(start as u64);
    usize::try_from(declared)
        .ok()
        .filter(|end| *end <= MESSAGE_BYTES_MAX)
        .ok_or(FrameError::TooLong { declared })
}

fn malformed(why: String) -> FrameError {
    FrameError::Malformed {
        frame: "HTTP/1",
        why,
    }
}
