//! The conversation with a server, as described in the file.
//!
//! This module is pure: it opens no socket, reads no clock and starts no process. A [`Talk`]
//! consists of [`Exchange`]s. An exchange and [`Bindings`] give a [`Turn`], the bytes to send; a
//! [`Decoder`] cuts replies out of a stream; an [`Expectation`] judges them.

mod course;
mod exchange;
mod exec;
mod expect;
mod expectation;
pub(crate) mod frame;
mod json;
mod judgement;
pub(crate) mod message;
mod nesting;
pub(crate) mod pattern;
mod push;
mod reader;
pub(crate) mod regex_concat;
mod regex_split;
mod regex_template;
pub(crate) mod token;

#[cfg(test)]
mod tests;

pub use course::{Course, Courses, Walk};
pub use exchange::{Exchange, Order, Turn};
pub use exec::Exec;
pub use expect::Expect;
pub use expectation::Expectation;
pub use frame::{
    Decoder, Delimiters, Frame, FrameError, HeaderFrame, LenFrame, LengthCode, Several,
};
pub use json::ExpectedJson;
pub use judgement::{Judgement, Mismatch};
pub use message::{Message, MessagePart};
pub use nesting::Nesting;
pub use pattern::Pattern;
pub use push::Push;
pub use reader::{Arrival, More, PushReader, Reader};
pub use regex_template::RegexTemplate;
use template::Slot;
pub use template::{Bindings, RenderError, Template};
pub use token::{TOKEN_LEN, Tokens, token, write_token};
pub use uint::Uint;

pub(crate) use crate::text::{template, uint};

/// A conversation.
#[derive(Debug, Clone)]
pub struct Talk {
    /// Name of the built-in talk that it is or uses, or the server's name, or `custom`.
    pub name: String,
    /// How a request ends.
    pub request: Frame,
    /// How a reply ends.
    pub reply: Frame,
    /// Who closes a connection.
    pub close: Close,
    /// A reply that matches announces that the server closes after it.
    pub close_when: Option<Pattern>,
    /// Performed once per connection, before anything else: greeting, login.
    pub open: Vec<Opening>,
    /// The exchanges, at least one. The first is the plain one.
    pub turns: Vec<Exchange>,
    /// Requests that must be refused, and how.
    pub bad: Vec<Exchange>,
    /// Exchanges that the server takes a while to answer.
    pub slow: Vec<Exchange>,
    /// Messages that the server may send without a request.
    pub push: Vec<Push>,
}

/// Who normally closes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// The client, when it is done.
    Client,
    /// The server, after one reply: a connection carries one request.
    ServerAfterReply,
}

/// One step of an opening.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "a talk has few of them")]
pub enum Opening {
    /// A greeting or a login.
    Exchange(Exchange),
    /// The connection switches to TLS: the exchange before has agreed on that (STARTTLS).
    StartTls,
    /// A program that logs in.
    Exec(Exec),
}

impl Talk {
    /// The same frames and the same close, without any exchange.
    pub(crate) fn only_frames(&self) -> Self {
        Self {
            name: self.name.clone(),
            request: self.request.clone(),
            reply: self.reply.clone(),
            close: self.close,
            close_when: None,
            open: Vec::new(),
            turns: Vec::new(),
            bad: Vec::new(),
            slow: Vec::new(),
            push: Vec::new(),
        }
    }

    /// The plain exchange: the first turn.
    ///
    /// # Panics
    /// Panics if there is no turn. A talk read from a file has at least one.
    pub fn plain(&self) -> &Exchange {
        &self.turns[0]
    }

    /// Whether a connection can carry the plain turn several times.
    pub fn carries_many_turns(&self) -> bool {
        self.repeats(self.plain())
    }

    /// Whether any exchange or push uses the number of its request or its connection.
    pub fn is_personal(&self) -> bool {
        let opening = self.open.iter().filter_map(|opening| match opening {
            Opening::Exchange(exchange) => Some(exchange),
            Opening::StartTls | Opening::Exec(_) => None,
        });
        let mut slots = opening.chain(&self.turns).flat_map(Exchange::slots);
        let mut answers = self.push.iter().filter_map(|push| push.reply.as_ref());
        slots.any(Slot::is_personal) || answers.any(|answer| answer.slots().any(Slot::is_personal))
    }

    /// Number of requests that the opening of a connection sends.
    pub fn opening_requests(&self) -> u64 {
        let sends = |opening: &&Opening| match opening {
            Opening::Exchange(exchange) => exchange.send.is_some(),
            Opening::StartTls | Opening::Exec(_) => false,
        };
        self.open.iter().filter(sends).count() as u64
    }

    /// The frames of the replies to the opening of a connection.
    pub fn opening_replies(&self) -> impl Iterator<Item = &Frame> {
        self.open.iter().filter_map(|opening| match opening {
            Opening::Exchange(exchange) if exchange.expect.has_reply() => {
                Some(exchange.reply_frame(self))
            }
            Opening::Exchange(_) | Opening::StartTls | Opening::Exec(_) => None,
        })
    }

    /// Whether a program logs in on each connection.
    pub fn has_login(&self) -> bool {
        self.open
            .iter()
            .any(|step| matches!(step, Opening::Exec(_)))
    }

    /// The turns that contain the payload.
    pub fn payload_turns(&self) -> impl Iterator<Item = &Exchange> {
        self.turns.iter().filter(|turn| turn.uses_payload())
    }

    /// Whether this reply announces that the server closes after it: as the file says, or as HTTP does (RFC 9112 section 9.6).
    pub fn announces_close(&self, reply: &[u8]) -> bool {
        let stated = self.close_when.as_ref();
        stated.is_some_and(|pattern| pattern.is_match(reply))
            || (self.reply == Frame::Http1 && frame::http1::announces_close(reply))
    }

    /// The push that this message of `frame` is, if any.
    pub fn pushed(&self, frame: &Frame, message: &[u8]) -> Option<&Push> {
        self.push.iter().find(|push| push.is_match(frame, message))
    }

    /// Whether every turn with a payload can contain this one without ending a message early.
    /// Conservative: a doubtful payload is not safe.
    pub fn payload_is_safe(&self, payload: &[u8]) -> bool {
        self.payload_trouble(payload).is_none()
    }

    /// Why a message of some turn cannot contain this payload, for the user; `None` if all can.
    pub fn payload_trouble(&self, payload: &[u8]) -> Option<String> {
        self.payload_turns()
            .find_map(|turn| turn.payload_trouble(self, payload))
    }
}
