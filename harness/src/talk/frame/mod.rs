//! How a message ends.

mod cuts;
mod decoder;
mod http1;
mod len;
mod resp;

pub use decoder::Decoder;
pub use len::LenFrame;
pub(crate) use len::LengthScope;
use memchr::memmem;

use super::pattern::Pattern;
use crate::text::escape;

/// Maximum size of a message in bytes, whatever length it announces.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// How a message ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// With these bytes.
    Until(Vec<u8>),
    /// With the first line that matches the pattern (SMTP, FTP). A line includes its `
    /// `.
    LastLine(Pattern),
    /// After as many bytes as a length field says.
    Len(LenFrame),
    /// After this many bytes.
    Fixed(usize),
    /// After this many lines, each ended by `
    /// `.
    Lines(usize),
    /// With the end of a Redis value (RESP2 and RESP3); requests are arrays or inline.
    Resp,
    /// HTTP/1.x: a head, then no body, `Content-Length`, chunks, or (replies) until the end of the
    /// stream.
    Http1,
    /// With the end of the stream.
    Eof,
    /// Unknown; a reply is complete when the expectation matches.
    None,
}

/// The bytes received are not a message of this frame. This is a finding about the peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A message is longer than the limit, or announces that it is.
    #[error("a message of {declared} bytes; the limit is {MESSAGE_BYTES_MAX}")]
    TooLong {
        /// The announced length, or the number of bytes received without an end.
        declared: u64,
    },
    /// The bytes violate the rules of the frame.
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
        /// Number of bytes of the message received.
        received: usize,
    },
}

impl Frame {
    /// A decoder for a stream of such messages. It continues where it stopped, so each byte of a
    /// message that arrives in small pieces is examined only once.
    pub fn decoder(&self) -> Decoder {
        Decoder::new(self.clone())
    }

    /// Whether the end of a message is recognizable, so that a connection can carry several.
    pub fn is_delimited(&self) -> bool {
        !matches!(self, Self::Eof | Self::None)
    }

    /// The bytes to send: adds the length header; other frames leave the body unchanged.
    ///
    /// A length that does not fit into its field is written as the field's maximum. Check with
    /// [`LenFrame::fits`] first.
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

    /// The part that expectations are compared with: the length header is removed; messages of
    /// other frames stay whole.
    pub fn body<'a>(&self, message: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Len(len) => message.get(len.header..).unwrap_or_default(),
            _ => message,
        }
    }

    /// Offsets inside the delimiter or the length field of `request`, where a cut is most likely to
    /// expose a parser bug.
    ///
    /// A delimiter or length of one byte has no inside: the cut is then before the delimiter or
    /// after the length. Every offset is at least 1 and less than the length of the request.
    pub fn cut_points(&self, request: &[u8]) -> Vec<usize> {
        cuts::cut_points(self, request)
    }

    /// Whether `payload` can be part of a message without ending it early. `announced` means that
    /// the message contains the payload's length, which is sufficient for frames based on lengths.
    pub fn carries(&self, payload: &[u8], announced: bool) -> bool {
        match self {
            Self::Until(delimiter) => {
                // The end of the payload must not form a delimiter together with the start of the
                // real one.
                let with_delimiter = [payload, delimiter].concat();
                // A `\r` before a single `
                // ` would form a different line end.
                memmem::find(&with_delimiter, delimiter) == Some(payload.len())
                    && !(delimiter == b"\n" && payload.ends_with(b"\r"))
            }
            Self::LastLine(_) | Self::Lines(_) => !payload.contains(&b'\n'),
            Self::Resp => announced || !payload.contains(&b'\n') && !payload.contains(&b'\r'),
            Self::Http1 => announced || payload.iter().all(u8::is_ascii_graphic),
            Self::Len(_) | Self::Eof | Self::None => true,
            // A different size is a different message.
            Self::Fixed(_) => false,
        }
    }

    pub(crate) fn describe(&self) -> String {
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
