//! How a message ends.

mod cuts;
mod decoder;
mod delimiters;
mod header;
pub(super) mod http1;
mod len;
mod length;
mod resp;
mod several;
pub(crate) mod websocket;

use std::borrow::Cow;

pub use decoder::Decoder;
pub use delimiters::Delimiters;
pub use header::HeaderFrame;
pub(crate) use header::head_len;
pub use len::LenFrame;
pub(crate) use len::{LengthBits, LengthScope};
pub use length::LengthCode;
pub(crate) use length::{Digits, DigitsEnd, Radix};
pub use several::Several;

use super::pattern::Pattern;
use super::template::RenderError;

/// Maximum size of a message in bytes, whatever length it announces.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// How a message ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// With a delimiter.
    Until(Delimiters),
    /// With the first line that matches the pattern (SMTP, FTP). A line includes its `\n`.
    LastLine(Pattern),
    /// After as many bytes as a length in a header says.
    Len(LenFrame),
    /// After as many bytes as a named header field says (language servers).
    Header(HeaderFrame),
    /// WebSocket: requests are masked, replies are not.
    WebSocket,
    /// After this many bytes.
    Fixed(usize),
    /// After this many lines, each ended by `\n`.
    Lines(usize),
    /// With the end of a Redis value (RESP2 and RESP3); requests are arrays or inline.
    Resp,
    /// HTTP/1.x: a head, then no body, `Content-Length`, chunks, or (replies) until the end of the
    /// stream.
    Http1,
    /// After several frames.
    Several(Box<Several>),
    /// With the end of the stream: of requests, the client closes its side after them.
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

    /// The number of whole messages at the beginning of these bytes, and what follows them.
    pub(crate) fn whole_messages<'a>(&self, bytes: &'a [u8]) -> (usize, &'a [u8]) {
        let (mut count, mut rest) = (0, bytes);
        while let Ok(Some(length @ 1..)) = self.decoder().next(rest) {
            rest = &rest[length.min(rest.len())..];
            count += 1;
        }
        (count, rest)
    }

    /// Until this delimiter, which is not empty.
    pub fn until(delimiter: &[u8]) -> Self {
        Self::Until(Delimiters::one(delimiter))
    }

    /// Whether the end of a message is recognizable before the end of the stream, so that a connection can carry
    /// several.
    pub fn is_delimited(&self) -> bool {
        !matches!(self, Self::Eof | Self::None)
    }

    /// Whether the end of a message is recognizable, if only by the end of the stream.
    pub fn has_end(&self) -> bool {
        *self != Self::None
    }

    /// Whether a message is more than its body: headers are added to requests, and removed from replies.
    pub fn adds_to_body(&self) -> bool {
        match self {
            Self::Len(_) | Self::Header(_) | Self::WebSocket => true,
            Self::Several(several) => several.each.adds_to_body(),
            _ => false,
        }
    }

    /// The bytes to send: adds the header; other frames leave the body unchanged.
    ///
    /// A length that does not fit into its field is written as the field's maximum. Check with
    /// [`LenFrame::fits`] first.
    pub fn wrap(&self, body: &[u8]) -> Vec<u8> {
        let mut message = Vec::new();
        match self {
            Self::Len(len) => len.wrap_into(body, &mut message),
            // Without a head nothing can go wrong.
            _ => drop(self.enclose(None, body, [0; 4], &mut message)),
        }
        message
    }

    /// Appends a request with this body. `head` are the bytes before its length, if not those of the frame; `mask` is
    /// the key of WebSocket frames.
    ///
    /// # Errors
    /// The head has the wrong size, or the length does not fit into its field.
    pub fn enclose(
        &self,
        head: Option<&[u8]>,
        body: &[u8],
        mask: [u8; 4],
        out: &mut Vec<u8>,
    ) -> Result<(), RenderError> {
        match (self, head) {
            (Self::Len(len), head) => len.enclose(head, body, out)?,
            (Self::WebSocket, head) => websocket::enclose(head, body, mask, out)?,
            (Self::Several(several), head) => several.each.enclose(head, body, mask, out)?,
            (_, Some(head)) if !head.is_empty() => {
                let got = head.len();
                return Err(RenderError::Head { expected: 0, got });
            }
            (Self::Header(header), _) => header.wrap_into(body, out),
            _ => out.extend_from_slice(body),
        }
        Ok(())
    }

    /// The header of a request that announces this length; `None` if the frame has none, or it cannot hold the length.
    pub(crate) fn announcing(&self, number: u64) -> Option<Vec<u8>> {
        let mut header = Vec::new();
        match self {
            Self::Len(len) if number <= len.number_max() => len.put_header(number, &mut header),
            Self::Header(field) => {
                header = format!("{}: {number}\r\n\r\n", field.name).into_bytes();
            }
            Self::WebSocket if number <= i64::MAX as u64 => {
                websocket::put_header(number, &mut header)
            }
            _ => return None,
        }
        Some(header)
    }

    /// Size of the header of a message, in bytes.
    pub(crate) fn header_len(&self, message: &[u8]) -> usize {
        match self {
            Self::Len(len) => len
                .header(message)
                .ok()
                .flatten()
                .map_or(0, |header| header.size),
            Self::Header(_) => head_len(message),
            Self::WebSocket => {
                let header = websocket::header(message).ok().flatten();
                header.map_or(0, |header| header.size)
            }
            _ => 0,
        }
    }

    /// Where the body of a request contains these bytes, counted from the start of the request.
    pub(crate) fn find_in_body(&self, request: &[u8], bytes: &[u8]) -> Option<usize> {
        let at = memchr::memmem::find(&self.body(request), bytes)?;
        Some(self.header_len(request) + at)
    }

    /// The part that expectations are compared with: headers are removed; messages of other frames stay whole.
    pub fn body<'a>(&self, message: &'a [u8]) -> Cow<'a, [u8]> {
        match self {
            Self::Len(len) => len.body(message).into(),
            Self::Header(header) => header.body(message).into(),
            Self::WebSocket => websocket::body(message).into(),
            Self::Several(several) if self.adds_to_body() => {
                let frames = several.frames(message).into_iter();
                let bodies = frames.map(|frame| several.each.body(frame).into_owned());
                bodies.collect::<Vec<_>>().concat().into()
            }
            _ => message.into(),
        }
    }

    /// The body without its delimiter or, in HTTP, its head: a value by itself.
    pub(crate) fn content<'a>(&self, message: &'a [u8]) -> Cow<'a, [u8]> {
        match self {
            Self::Until(delimiters) => {
                let end = message.len() - delimiters.of(message).len();
                message[..end].into()
            }
            Self::Http1 => http1::content(message),
            _ => self.body(message),
        }
    }

    /// The only message with this body; `None` if the same body can be written in several ways.
    pub(crate) fn only(&self, body: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Len(len) => len.is_only_length().then(|| self.wrap(body)),
            _ => (!self.adds_to_body()).then(|| body.to_vec()),
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
            Self::Until(delimiters) => delimiters.leave(payload),
            Self::LastLine(_) | Self::Lines(_) => !payload.contains(&b'\n'),
            Self::Resp => announced || !payload.contains(&b'\n') && !payload.contains(&b'\r'),
            Self::Http1 => announced || payload.iter().all(u8::is_ascii_graphic),
            Self::Several(several) => several.each.carries(payload, announced),
            Self::Len(_) | Self::Header(_) | Self::WebSocket | Self::Eof | Self::None => true,
            // A different size is a different message.
            Self::Fixed(_) => false,
        }
    }

    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Until(delimiters) => delimiters.describe(),
            Self::LastLine(pattern) => format!("up to a line that matches {pattern:?}"),
            Self::Len(len) => len.describe(),
            Self::Header(header) => format!("{} header", header.name),
            Self::WebSocket => "websocket".to_owned(),
            Self::Several(several) => several.describe(),
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
