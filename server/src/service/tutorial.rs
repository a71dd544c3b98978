//! The tutorial's protocol without the tutorial's bugs: one `recv`, decode, print, one fixed reply,
//! close.
//!
//! The request has no frame: it is complete as soon as the received bytes are valid UTF-8. A cut is
//! only detectable inside a character, and then the service waits for the rest. The rest of a long
//! text may arrive after the reply, so the driver must linger: closing with unread input would send
//! a reset, which can destroy the reply.

use super::{Flow, Note, Service};

const REPLY: &str = "ok, 问题正在处理中...";
const NOT_UTF8: &str = "error: not valid UTF-8";
const TOO_LONG: &str = "error: message too long";

pub(super) struct TutorialService {
    max: usize,
    /// A text that ends inside a character.
    partial: Vec<u8>,
    /// Bytes of `partial` that are known to be whole characters.
    checked: usize,
    note: Option<Note>,
}

impl TutorialService {
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

impl Service for TutorialService {
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
