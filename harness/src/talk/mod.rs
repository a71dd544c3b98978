//! The conversation with a server, as described in the file.
//!
//! This module is pure: it opens no socket, reads no clock and starts no process. A [`Talk`]
//! consists of [`Exchange`]s. An exchange and [`Bindings`] give a [`Turn`], the bytes to send; a
//! [`Decoder`] cuts replies out of a stream; an [`Expectation`] judges them.

mod exchange;
mod exec;
mod expect;
pub(crate) mod frame;
pub(crate) mod message;
pub(crate) mod pattern;
mod push;
mod regex_split;
mod regex_template;
pub(crate) mod token;

#[cfg(test)]
mod tests;

pub use exchange::{Exchange, Turn};
pub use exec::Exec;
pub use expect::{Expect, Expectation, Judgement, Mismatch};
pub use frame::{Decoder, Frame, FrameError, LenFrame};
pub use message::{Message, MessagePart};
pub use pattern::Pattern;
pub use push::Push;
pub use regex_template::RegexTemplate;
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
pub enum Opening {
    /// A greeting or a login.
    Exchange(Exchange),
    /// A program that logs in.
    Exec(Exec),
}

impl Talk {
    /// The plain exchange: the first turn.
    ///
    /// # Panics
    /// Panics if there is no turn. A talk read from a file has at least one.
    pub fn plain(&self) -> &Exchange {
        &self.turns[0]
    }

    /// Whether a connection carries more than one turn.
    pub fn carries_many_turns(&self) -> bool {
        self.close == Close::Client && self.reply != Frame::Eof
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

    /// Whether this reply announces that the server closes after it.
    pub fn announces_close(&self, reply: &[u8]) -> bool {
        self.close_when
            .as_ref()
            .is_some_and(|pattern| pattern.is_match(reply))
    }

    /// The push that matches this message, if any.
    pub fn pushed(&self, message: &[u8]) -> Option<&Push> {
        self.push.iter().find(|push| push.matches.is_match(message))
    }

    /// Whether every turn with a payload can contain this one without ending a message early.
    /// Conservative: a doubtful payload is not safe.
    pub fn payload_is_safe(&self, payload: &[u8]) -> bool {
        self.payload_turns()
            .all(|turn| turn.payload_is_safe(self, payload))
    }
}
