//! What the tutorial teaches, without its mistakes: one `recv`, decode, print, one fixed reply,
//! close.
//!
//! The request has no frame, so it is whatever has arrived once that is whole UTF-8. The one cut
//! that can be noticed, inside a character, is waited out. The rest of a longer text may arrive
//! after the reply: whoever drives this service must read it on for a while (a lingering close),
//! or the reset would destroy the reply on its way.

use super::{Flow, Note, Service};

const REPLY: &str = "ok, 问题正在处理中...";
const NOT_UTF8: &str = "error: not valid UTF-8";
const TOO_LONG: &str = "error: message too long";

/// Answers one text.
pub(super) struct Tutorial {
    max: usize,
    /// A text that ends inside a character.
    partial: Vec<u8>,
    /// How many bytes of it are whole characters.
    checked: usize,
    note: Option<Note>,
}

impl Tutorial {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            partial: Vec::new(),
            checked: 0,
            note: None,
        }
    }

    fn end(&mut self, reply: &str, out: &mut Vec<u8>) -> Flow {
        self.partial = Vec::new();
        out.extend_from_slice(reply.as_bytes());
        Flow::Close
    }
}

impl Service for Tutorial {
    fn on_bytes(&mut self, input: &[u8], out: &mut Vec<u8>) -> Flow {
        if self.partial.len() + input.len() > self.max {
            return self.end(TOO_LONG, out);
        }
        self.partial.extend_from_slice(input);
        match std::str::from_utf8(&self.partial[self.checked..]) {
            Ok("") if self.partial.is_empty() => Flow::Continue,
            Ok(_) => {
                let text = String::from_utf8_lossy(&self.partial).into_owned();
                self.note = Some(Note {
                    length: text.len(),
                    text,
                });
                self.end(REPLY, out)
            }
            Err(error) if error.error_len().is_none() => {
                self.checked += error.valid_up_to();
                Flow::Continue
            }
            Err(_) => self.end(NOT_UTF8, out),
        }
    }

    fn on_eof(&mut self, out: &mut Vec<u8>) {
        if self.in_flight() {
            self.end(NOT_UTF8, out);
        }
    }

    fn in_flight(&self) -> bool {
        !self.partial.is_empty()
    }

    fn buffered(&self) -> usize {
        self.partial.capacity()
    }

    fn take_note(&mut self) -> Option<Note> {
        self.note.take()
    }
}
