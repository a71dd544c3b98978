//! Echoes UTF-8 lines: `hello\n` is answered by `hello\n`.
//!
//! A line ends with `\n`; a `\r` before it is dropped. A line that is not valid UTF-8 is answered by
//! `ERR not valid UTF-8\n`, and the connection stays open. A line of more than `max_message` bytes,
//! including its ending, is answered by `ERR line too long\n`, and the connection is closed because
//! the start of the next line is unknown. Bytes after the last `\n` are ignored.
//!
//! If TLS is offered, the first line `STARTTLS` is answered by `OK begin TLS\n`, and the connection
//! continues with a TLS handshake.

use super::{Flow, Service};

const NOT_UTF8: &[u8] = b"ERR not valid UTF-8\n";
const TOO_LONG: &[u8] = b"ERR line too long\n";
const BEGIN_TLS: &[u8] = b"OK begin TLS\n";

/// Whether the line `STARTTLS` is a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StartTls {
    /// It is.
    Offered,
    /// It is not, or TLS has begun.
    NotOffered,
}

pub(super) struct LineService {
    max: usize,
    /// The beginning of an unfinished line. It contains no `\n` and is not searched again.
    partial: Vec<u8>,
    starttls: StartTls,
}

impl LineService {
    pub(super) fn new(max: usize, starttls: StartTls) -> Self {
        Self {
            max,
            starttls,
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
            let flow = if self.partial.is_empty() {
                self.starttls.answer(line, out)
            } else {
                self.partial.extend_from_slice(line);
                let flow = self.starttls.answer(&self.partial, out);
                self.partial.clear();
                flow
            };
            if flow != Flow::Continue {
                return flow;
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

impl StartTls {
    /// Answers one line, which includes its `\n`.
    fn answer(&mut self, line: &[u8], out: &mut Vec<u8>) -> Flow {
        let text = text(line);
        if *self == Self::Offered && text == b"STARTTLS" {
            *self = Self::NotOffered;
            out.extend_from_slice(BEGIN_TLS);
            return Flow::StartTls;
        }
        echo(text, out);
        Flow::Continue
    }
}

/// A line without its ending.
fn text(line: &[u8]) -> &[u8] {
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    text.strip_suffix(b"\r").unwrap_or(text)
}

fn echo(text: &[u8], out: &mut Vec<u8>) {
    if std::str::from_utf8(text).is_err() {
        out.extend_from_slice(NOT_UTF8);
        return;
    }
    out.extend_from_slice(text);
    out.push(b'\n');
}
