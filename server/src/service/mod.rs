//! The protocols, sans-IO: bytes in, replies out. No sockets, clocks or processes.
//!
//! Every service buffers at most one unfinished request of at most `max_message` bytes, and examines
//! each byte once, however the stream is cut.

mod echo;
mod frame;
pub mod invariant;
mod line;
mod tutorial;

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use line::StartTls;
use serde::{Deserialize, Serialize};

use crate::ServerError;

/// The server's side of a protocol on one connection.
pub trait Service: Send {
    /// Processes the next bytes and appends the replies to the requests that they complete. Must not
    /// be called again after it has returned [`Flow::Close`]. After [`Flow::StartTls`], the rest of the
    /// input has not been processed.
    fn on_bytes(&mut self, input: &[u8], out: &mut Vec<u8>) -> Flow;

    /// Called when the peer has sent a FIN. The connection is closed after the bytes appended here.
    fn on_eof(&mut self, _out: &mut Vec<u8>) {}

    /// Whether part of a request has been received.
    fn in_flight(&self) -> bool;

    /// The memory allocated for the unfinished request, in bytes: at most a fixed multiple of
    /// `max_message`, regardless of the input.
    fn buffered(&self) -> usize;

    /// The note to print about the request that was just answered.
    fn take_note(&mut self) -> Option<Note> {
        None
    }
}

/// Whether a connection continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Read more input.
    Continue,
    /// Send the replies, then begin TLS. Input that follows in plain text is not a request.
    StartTls,
    /// Send the replies, then close.
    Close,
}

/// A request, as the tutorial's protocol prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The length in bytes.
    pub length: usize,
    /// The text as sent by the client, not escaped.
    pub text: String,
}

/// A protocol of the reference server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// The first bytes that arrive are the request. The server sends one fixed reply and closes.
    Tutorial,
    /// Echoes every byte.
    Echo,
    /// Echoes UTF-8 lines.
    #[default]
    Line,
    /// Echoes frames with a four-byte big-endian length.
    Frame,
}

impl Protocol {
    /// All protocols.
    pub const fn all() -> &'static [Self] {
        &[Self::Tutorial, Self::Echo, Self::Line, Self::Frame]
    }

    /// The name used on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tutorial => "tutorial",
            Self::Echo => "echo",
            Self::Line => "line",
            Self::Frame => "frame",
        }
    }

    /// Creates the service for one connection. Requests of more than `max_message` bytes are refused.
    pub fn service(self, max_message: usize) -> Box<dyn Service> {
        match self {
            Self::Tutorial => Box::new(tutorial::TutorialService::new(max_message)),
            Self::Echo => Box::new(echo::EchoService),
            Self::Line => Box::new(line::LineService::new(max_message, StartTls::NotOffered)),
            Self::Frame => Box::new(frame::FrameService::new(max_message)),
        }
    }

    /// Like [`service`](Self::service), with the command that begins TLS; `None` if the protocol has
    /// no such command.
    pub fn service_with_starttls(self, max_message: usize) -> Option<Box<dyn Service>> {
        match self {
            Self::Line => Some(Box::new(line::LineService::new(
                max_message,
                StartTls::Offered,
            ))),
            Self::Tutorial | Self::Echo | Self::Frame => None,
        }
    }

    /// The length of the first of one or more whole replies.
    pub(crate) fn reply_length(self, replies: &[u8]) -> usize {
        let length = match self {
            Self::Tutorial | Self::Echo => None,
            Self::Line => memchr::memchr(b'\n', replies).map(|end| end + 1),
            Self::Frame => frame::size(replies),
        };
        length.map_or(replies.len(), |length| length.min(replies.len()))
    }

    /// The reply to a client that the server refuses; empty for a protocol without messages.
    pub(crate) fn too_many_connections(self) -> Vec<u8> {
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
                "unknown protocol `{name}`: expected one of tutorial, echo, line, frame"
            ))
        })
    }
}

#[cfg(test)]
mod tests;
