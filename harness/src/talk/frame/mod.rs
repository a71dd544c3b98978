//! How a message ends.

mod cuts;
mod decoder;
mod http1;
mod len;
mod resp;

use memchr::memmem;

pub use decoder::Decoder;
pub use len::{Counts, LenFrame};

use super::pattern::Pattern;
use crate::text::escape;

/// No message may be longer than this, whatever length it declares.
pub const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// How a message ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// With these bytes.
    Until(Vec<u8>),
    /// With the first line the regex matches (SMTP, FTP). A line goes up to and includes its `\n`.
    LastLine(Pattern),
    /// After as many bytes as a length field says.
    Len(LenFrame),
    /// After so many bytes.
    Fixed(usize),
    /// After so many lines, each ended by `\n`.
    Lines(usize),
    /// The serialization of Redis: RESP2 and RESP3, requests as arrays or inline.
    Resp,
    /// HTTP/1.x: head, then no body, `Content-Length`, chunks, or (a reply) until the end of the stream.
    Http1,
    /// With the end of the stream.
    Eof,
    /// Nothing says where it ends; a reply is complete when the expectation matches.
    None,
}

/// What arrived is not a message of this frame. A finding about the peer, never a reason to panic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A message is longer than the limit, or declares to be.
    #[error("a message of {declared} bytes; the limit is {MESSAGE_BYTES_MAX}")]
    TooLong {
        /// The declared length, or how many bytes came without an end.
        declared: u64,
    },
    /// The bytes break the rules of the frame.
    #[error("not {frame}: {why}")]
    Malformed {
        /// The frame's name.
        frame: &'static str,
        /// What is wrong, escaped.
        why: String,
    },
    /// The stream ended inside a message.
    #[error("the stream ended inside a message, after {received} bytes of it")]
    Truncated {
        /// How much of the message had come.
        received: usize,
    },
}

impl Frame {
    /// A decoder for a stream of such messages. It remembers where it stopped looking, so that a
    /// message that comes in small pieces is still looked at once.
    pub fn decoder(&self) -> Decoder {
        Decoder::new(self.clone())
    }

    /// Whether messages have an end of their own, so that several fit on one connection.
    pub fn is_delimited(&self) -> bool {
        !matches!(self, Self::Eof | Self::None)
    }

    /// The bytes for the wire: the length header is added, other frames leave the body as it is.
    ///
    /// A length that does not fit its field is written as the field's largest number;
    /// [`LenFrame::fits`] tells beforehand.
    pub fn wrap(&self, body: &[u8]) -> Vec<u8> {
        match self {
            Self::Len(len) => {
                let mut message = Vec::new();
                len.wrap_into(body, &mut message);
                message
            }
            _ => body.to_vec(),
        }
    }

    /// What expectations are compared with: the length header is stripped, other frames are whole.
    pub fn body<'a>(&self, message: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Len(len) => message.get(len.header..).unwrap_or_default(),
            _ => message,
        }
    }

    /// Where a cut hurts most: the offsets inside the delimiter or the length field of `request`.
    ///
    /// A delimiter or length of one byte has no inside; then the cut is right before the delimiter,
    /// right after the length. Every offset is at least 1 and less than the request's length.
    pub fn cut_points(&self, request: &[u8]) -> Vec<usize> {
        cuts::cut_points(self, request)
    }

    /// Whether `payload` can stand inside a message without being taken for its end. `announced`:
    /// its length is part of the message, which is enough for frames that go by announced lengths.
    pub fn carries(&self, payload: &[u8], announced: bool) -> bool {
        match self {
            Self::Until(delimiter) => {
                // The payload's tail must not complete a delimiter with the start of the real one either.
                let with_delimiter = [payload, delimiter].concat();
                // A `\r` before a lone `\n` would make another line end of it.
                memmem::find(&with_delimiter, delimiter) == Some(payload.len())
                    && !(delimiter == b"\n" && payload.ends_with(b"\r"))
            }
            Self::LastLine(_) | Self::Lines(_) => !payload.contains(&b'\n'),
            Self::Resp => announced || !payload.contains(&b'\n') && !payload.contains(&b'\r'),
            Self::Http1 => announced || payload.iter().all(u8::is_ascii_graphic),
            Self::Len(_) | Self::Eof | Self::None => true,
            // Another size is another message.
            Self::Fixed(_) => false,
        }
    }

    /// The frame in a few words, for people.
    pub fn describe(&self) -> String {
        match self {
            Self::Until(delimiter) => format!("until \"{}\"", escape(delimiter, 20)),
            Self::LastLine(pattern) => format!("up to a line that matches {pattern:?}"),
            Self::Len(len) => len.describe(),
            Self::Fixed(1) => "one byte".to_owned(),
            Self::Fixed(bytes) => format!("{bytes} bytes"),
            Self::Lines(1) => "one line".to_owned(),
            Self::Lines(lines) => format!("{lines} lines"),
            Self::Resp => "resp".to_owned(),
            Self::Http1 => "http1".to_owned(),
            Self::Eof => "until the end of the stream".to_owned(),
            Self::None => "none".to_owned(),
        }
    }
}
