//! The protocols, sans-IO: bytes in, replies out. No sockets, no clocks, no processes.
//!
//! Every service keeps at most one unfinished request of at most `max_message` bytes, and looks
//! at each byte once however the stream is cut.

mod echo;
mod frame;
pub mod invariant;
mod line;
mod tutorial;

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ServerError;

/// One side of one connection, speaking one protocol.
pub trait Service: Send {
    /// Takes the bytes that came next and appends the replies they complete. After
    /// [`Flow::Close`] it is not called again.
    fn on_bytes(&mut self, input: &[u8], out: &mut Vec<u8>) -> Flow;

    /// The peer will send nothing more. The connection is closed after what is appended here.
    fn on_eof(&mut self, _out: &mut Vec<u8>) {}

    /// Whether part of a request has been received.
    fn in_flight(&self) -> bool;

    /// How many bytes of memory the unfinished request takes: a bounded multiple of `max_message`,
    /// whatever was sent or announced.
    fn buffered(&self) -> usize;

    /// What is to be printed about a request that was just answered.
    fn take_note(&mut self) -> Option<Note> {
        None
    }
}

/// Whether a connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// More input is welcome.
    Continue,
    /// What was answered is the last; close once it is sent.
    Close,
}

/// A request as the tutorial prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Its length in bytes.
    pub length: usize,
    /// Its text, as the client sent it: not escaped.
    pub text: String,
}

/// The protocols.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Whatever arrives first is the request; one fixed reply, then the server closes.
    Tutorial,
    /// Every byte comes back.
    Echo,
    /// UTF-8 lines come back.
    #[default]
    Line,
    /// Frames with a four-byte big-endian length come back.
    Frame,
}

impl Protocol {
    /// All protocols.
    pub const fn all() -> &'static [Self] {
        &[Self::Tutorial, Self::Echo, Self::Line, Self::Frame]
    }

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tutorial => "tutorial",
            Self::Echo => "echo",
            Self::Line => "line",
            Self::Frame => "frame",
        }
    }

    /// A service for one connection. No request may be longer than `max_message` bytes.
    pub fn service(self, max_message: usize) -> Box<dyn Service> {
        match self {
            Self::Tutorial => Box::new(tutorial::Tutorial::new(max_message)),
            Self::Echo => Box::new(echo::Echo),
            Self::Line => Box::new(line::Line::new(max_message)),
            Self::Frame => Box::new(frame::Frame::new(max_message)),
        }
    }

    /// The length of the first reply in what a service appended, which is one or more whole ones.
    pub(crate) fn reply_length(self, replies: &[u8]) -> usize {
        let length = match self {
            Self::Tutorial | Self::Echo => None,
            Self::Line => memchr::memchr(b'\n', replies).map(|end| end + 1),
            Self::Frame => frame::size(replies),
        };
        length.map_or(replies.len(), |length| length.min(replies.len()))
    }

    /// What a client is told when the server has no place for it. A stream without messages
    /// has no room for a refusal.
    pub fn too_many_connections(self) -> Vec<u8> {
        match self {
            Self::Tutorial => b"error: too many connections".to_vec(),
            Self::Echo => Vec::new(),
            Self::Line => b"ERR too many connections\n".to_vec(),
            Self::Frame => frame::framed(b"ERR too many connections"),
        }
    }
}

impl Display for Protocol {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Protocol {
    type Err = ServerError;

    fn from_str(name: &str) -> Result<Self, ServerError> {
        let found = Self::all().iter().find(|protocol| protocol.name() == name);
        found.copied().ok_or_else(|| {
            ServerError::Setting(format!(
                "no protocol `{name}` (tutorial, echo, line, frame)"
            ))
        })
    }
}

#[cfg(test)]
mod tests;
