//! RESP2 and RESP3, the serialization of Redis (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).
//!
//! No values are built: only the end of a value is determined, with one counter per nesting level,
//! so neither a huge count nor deep nesting uses memory.

use memchr::memchr;

use super::{FrameError, MESSAGE_BYTES_MAX};
use crate::text::escape;

/// Maximum nesting depth.
const DEPTH_MAX: usize = 64;

/// Maximum number of characters of a length or count, including its sign.
const NUMBER_BYTES_MAX: usize = 20;

#[derive(Debug, Clone, Default)]
pub(super) struct RespState {
    /// Start of the current element.
    element: usize,
    /// There is no line end between `element` and this offset.
    scanned: usize,
    /// End of the current bulk string, once its length is known.
    bulk_end: Option<usize>,
    /// Number of remaining elements on each level, including the current one.
    open: Vec<u64>,
    /// End of the whole message, once known.
    done: Option<usize>,
}

impl RespState {
    pub(super) fn look(&mut self, buffer: &[u8]) -> Result<Option<usize>, FrameError> {
        while self.done.is_none() {
            let complete = match self.bulk_end {
                Some(end) => self.bulk(buffer, end)?,
                None => self.element(buffer)?,
            };
            if !complete {
                return Ok(None);
            }
        }
        Ok(self.done)
    }

    /// Reads one line. Returns false if more bytes are needed.
    fn element(&mut self, buffer: &[u8]) -> Result<bool, FrameError> {
        let Some(&kind) = buffer.get(self.element) else {
            return Ok(false);
        };
        let inline = self.open.is_empty() && self.element == 0 && kind.is_ascii_alphabetic();
        if !inline && !b"+-:$*_,#!=(%~>|".contains(&kind) {
            let shown = &buffer[self.element..];
            return Err(malformed(format!(
                "unknown type in \"{}\"",
                escape(shown, 40)
            )));
        }
        let numbered = b"$!=*~>%|".contains(&kind);
        let Some(end) = self.line_end(buffer, numbered)? else {
            return Ok(false);
        };
        let line = &buffer[self.element + 1..end];
        if inline {
            return Ok(self.finish_element(end));
        }
        let Some(line) = line.strip_suffix(b"\r\n") else {
            return Err(malformed("a line does not end with \\r\\n".to_owned()));
        };
        if numbered {
            return self.announced(kind, line, end);
        }
        Ok(self.finish_element(end))
    }

    /// The offset after the line's `
    /// `.
    fn line_end(&mut self, buffer: &[u8], numbered: bool) -> Result<Option<usize>, FrameError> {
        let from = self.scanned.max(self.element);
        let found = memchr(b'\n', &buffer[from..]).map(|at| from + at + 1);
        let seen = found.unwrap_or(buffer.len()) - self.element;
        if numbered && seen > NUMBER_BYTES_MAX + 3 {
            return Err(malformed("a length does not end".to_owned()));
        }
        self.scanned = found.map_or(buffer.len(), |_| self.element);
        Ok(found)
    }

    fn announced(&mut self, kind: u8, line: &[u8], end: usize) -> Result<bool, FrameError> {
        let number = std::str::from_utf8(line)
            .ok()
            .filter(|text| !text.starts_with('+'))
            .and_then(|text| text.parse::<i64>().ok());
        let count = match number {
            Some(-1) if b"$*".contains(&kind) => return Ok(self.finish_element(end)),
            Some(count) if count >= 0 => count.unsigned_abs(),
            _ => return Err(malformed(format!("length \"{}\"", escape(line, 40)))),
        };
        match kind {
            b'$' | b'!' | b'=' => {
                let declared = count.saturating_add(end as u64 + 2);
                if declared > MESSAGE_BYTES_MAX as u64 {
                    return Err(FrameError::TooLong { declared });
                }
                self.bulk_end = usize::try_from(declared).ok();
                Ok(true)
            }
            b'%' => self.descend(count.saturating_mul(2), end),
            // An attribute precedes a value and is not a value itself.
            b'|' => self.descend(count.saturating_mul(2).saturating_add(1), end),
            _ => self.descend(count, end),
        }
    }

    fn bulk(&mut self, buffer: &[u8], end: usize) -> Result<bool, FrameError> {
        let Some(bulk) = buffer.get(..end) else {
            return Ok(false);
        };
        if !bulk.ends_with(b"\r\n") {
            return Err(malformed(
                "a bulk string is longer than its length".to_owned(),
            ));
        }
        self.bulk_end = None;
        Ok(self.finish_element(end))
    }

    fn descend(&mut self, count: u64, end: usize) -> Result<bool, FrameError> {
        if count == 0 {
            return Ok(self.finish_element(end));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(malformed(format!("nested deeper than {DEPTH_MAX}")));
        }
        self.open.push(count);
        self.element = end;
        self.scanned = end;
        Ok(true)
    }

    /// Ends an element at `end`, and all aggregates of which it was the last one. Always returns
    /// true.
    fn finish_element(&mut self, end: usize) -> bool {
        self.element = end;
        self.scanned = end;
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return true;
            }
            self.open.pop();
        }
        self.done = Some(end);
        true
    }
}

fn malformed(why: String) -> FrameError {
    FrameError::Malformed { frame: "RESP", why }
}
