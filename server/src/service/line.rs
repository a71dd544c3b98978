//! Echoes UTF-8 lines: `hello\n` is answered by `hello\n`.
//!
//! A line ends with `\n`; a `\r` before it is dropped. A line that is not valid UTF-8 is answered by
//! `ERR not valid UTF-8\n`, and the connection stays open. A line of more than `max_message` bytes,
//! including its ending, is answered by `ERR line too long\n`, and the connection is closed because
//! the start of the next line is unknown. Bytes after the last `\n` are ignored.

use super::{Flow, Service};

const NOT_UTF8: &[u8] = b"ERR not valid UTF-8\n";
const TOO_LONG: &[u8] = b"ERR line too long\n";

pub(super) struct LineService {
    max: usize,
    /// The beginning of an unfinished line. It contains no `\n` and is not searched again.
    partial: Vec<u8>,
}

impl LineService {
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

impl Service for LineService {
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
        // At least the `\n` is missing, hence `>=`.
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

/// Answers one line, which includes its `\n`.
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
