//! UTF-8 lines that come back: `hello\n` is answered by `hello\n`.
//!
//! A line ends with `\n`; a `\r` before it belongs to the ending and does not come back. A line
//! that is no UTF-8 is answered by `ERR not valid UTF-8\n`, and the next one is read. A line of
//! more than `max_message` bytes with its ending is answered by `ERR line too long\n`, and the
//! connection ends: where the next line begins is not known. What comes after the last `\n` is
//! no request.

use super::{Flow, Service};

const NOT_UTF8: &[u8] = b"ERR not valid UTF-8\n";
const TOO_LONG: &[u8] = b"ERR line too long\n";

/// Echoes lines.
pub(super) struct Line {
    max: usize,
    /// The beginning of a line; it has no `\n`, so it is never searched again.
    partial: Vec<u8>,
}

impl Line {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            partial: Vec::new(),
        }
    }

    fn refuse(&mut self, out: &mut Vec<u8>) -> Flow {
        self.partial = Vec::new();
        out.extend_from_slice(TOO_LONG);
        Flow::Close
    }
}

impl Service for Line {
    fn on_bytes(&mut self, input: &[u8], out: &mut Vec<u8>) -> Flow {
        let mut rest = input;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, tail) = rest.split_at(end + 1);
            if self.partial.len() + line.len() > self.max {
                return self.refuse(out);
            }
            if self.partial.is_empty() {
                answer(line, out);
            } else {
                self.partial.extend_from_slice(line);
                answer(&self.partial, out);
                self.partial.clear();
            }
            rest = tail;
        }
        // At least the `\n` is still to come.
        if self.partial.len() + rest.len() >= self.max {
            return self.refuse(out);
        }
        self.partial.extend_from_slice(rest);
        Flow::Continue
    }

    fn in_flight(&self) -> bool {
        !self.partial.is_empty()
    }

    fn buffered(&self) -> usize {
        self.partial.capacity()
    }
}

/// Answers one line, given with its `\n`.
fn answer(line: &[u8], out: &mut Vec<u8>) {
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    if std::str::from_utf8(text).is_err() {
        out.extend_from_slice(NOT_UTF8);
        return;
    }
    out.extend_from_slice(text);
    out.push(b'\n');
}
