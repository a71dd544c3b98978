//! The conversation: what is said to a server and what has to come back, as the file describes it.
//!
//! Everything here is pure: bytes in, bytes out. Nothing opens a socket, reads a clock or starts a
//! process. A [`Talk`] is made of [`Exchange`]s; an exchange and [`Bindings`] make a [`Turn`], the
//! bytes for the wire; a [`Decoder`] cuts replies out of what arrives; an [`Expectation`] judges them.

pub mod exchange;
pub mod expect;
pub mod frame;
pub mod message;
pub mod pattern;
pub mod push;
mod regex_split;
pub mod regex_template;
pub mod token;

#[cfg(test)]
mod tests;

pub use crate::text::{template, uint};
pub use exchange::{Exchange, Turn};
pub use expect::{Expect, Expectation, Judgement, Mismatch};
pub use frame::{Decoder, Frame, FrameError, LenFrame};
pub use message::{Message, Part};
pub use pattern::Pattern;
pub use push::Push;
pub use template::{Bindings, RenderError, Template};
pub use token::{TOKEN_LEN, Tokens, token, write_token};
pub use uint::Uint;

/// A conversation.
#[derive(Debug, Clone)]
pub struct Talk {
    /// The built-in talk it is or uses, else the server's name, else `custom`.
    pub name: String,
    /// How a request ends.
    pub request: Frame,
    /// How a reply ends.
    pub reply: Frame,
    /// Who closes a connection.
    pub close: Close,
    /// A reply like this announces that the server closes after it.
    pub close_when: Option<Pattern>,
    /// Once a connection, before anything else: greeting, login.
    pub open: Vec<Opening>,
    /// The exchanges; at least one. The first is the plain one.
    pub turns: Vec<Exchange>,
    /// Requests that must be refused, and how.
    pub bad: Vec<Exchange>,
    /// Exchanges the server takes a while to answer.
    pub slow: Vec<Exchange>,
    /// What the server may send unasked.
    pub push: Vec<Push>,
}

/// Who closes a connection when all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// The client, when it has no more to say.
    Client,
    /// The server, after one reply: one request a connection.
    ServerAfterReply,
}

/// One step of what happens once a connection.
#[derive(Debug, Clone)]
pub enum Opening {
    /// A greeting or a login.
    Exchange(Exchange),
    /// A program that gets the socket as file descriptor 3. Files that ask for it are refused as
    /// not supported yet, so no talk has one today.
    Exec(Vec<String>),
}

impl Talk {
    /// The plain exchange: the first turn.
    ///
    /// # Panics
    /// There is no turn. A talk out of a file has at least one.
    pub fn plain(&self) -> &Exchange {
        &self.turns[0]
    }

    /// Whether a connection carries more than one turn.
    pub fn carries_many_turns(&self) -> bool {
        self.close == Close::Client && self.reply != Frame::Eof
    }

    /// The turns whose size and bytes can be varied.
    pub fn payload_turns(&self) -> impl Iterator<Item = &Exchange> {
        self.turns.iter().filter(|turn| turn.uses_payload())
    }

    /// Whether a reply announces that the server closes after it.
    pub fn announces_close(&self, reply: &[u8]) -> bool {
        self.close_when
            .as_ref()
            .is_some_and(|pattern| pattern.is_match(reply))
    }

    /// What the server sent unasked, if this message is that.
    pub fn pushed(&self, message: &[u8]) -> Option<&Push> {
        self.push.iter().find(|push| push.matches.is_match(message))
    }

    /// Whether `payload` can stand in every turn that has one without being taken for the end of a
    /// message: no delimiter in it, or its length is announced. Conservative.
    pub fn payload_is_safe(&self, payload: &[u8]) -> bool {
        self.payload_turns()
            .all(|turn| turn.payload_is_safe(self, payload))
    }
}
