//! `frame = ...`: how a message ends.

use schemars::JsonSchema;
use serde::Deserialize;

use super::bytes::{LiteralValue, line};
use super::len::{HEADER_BYTES_MAX, LENGTH_NAMES, LenKeys};
use crate::file::value::{At, BothWays, Int, OneOrMore, Text};
use crate::file::{Context, Read};
use crate::talk::frame::{Delimiters, Frame, HeaderFrame};

/// How a message ends.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    rename_all = "snake_case",
    deny_unknown_fields,
    expecting = "a word or a table, as in { until = \"\\n\" }"
)]
#[expect(clippy::large_enum_variant, reason = "a file has few of them")]
pub(super) enum FrameValue {
    Resp,
    Http1,
    Websocket,
    Eof,
    None,
    /// The bytes that end a message, or a list: one of several. They are part of what is written in `send` and
    /// `expect`.
    Until(At<OneOrMore<At<LiteralValue>>>),
    /// A regex: the message ends with the first line that matches (SMTP, FTP).
    LastLine(Text),
    /// A length in a header. Only the bytes after the header are written in `send` and `expect`.
    Len {
        /// How the length is written: binary, in base 128 (MQTT), as in BER (LDAP), or in digits (netstrings, git).
        #[schemars(extend("enum" = LENGTH_NAMES))]
        len: Text,
        /// The offset of the length in the header, in bytes.
        at: Option<Int<0, { HEADER_BYTES_MAX - 1 }>>,
        /// The size of the header in bytes, if the length has a fixed size. Default: it ends with the length.
        header: Option<At<Int<1, HEADER_BYTES_MAX>>>,
        /// The length counts from its own first byte (PostgreSQL, git).
        #[serde(default)]
        includes_self: bool,
        /// The length counts the whole header (BGP).
        #[serde(default)]
        includes_header: bool,
        /// The other bytes of the header in a request, as pairs of hex digits. Default: zeros.
        fill: Option<Text>,
        /// The bits of a binary length that hold it, as in 0x7f; the others are those of `fill`.
        masked: Option<At<Int<1, { u64::MAX }>>>,
        /// The number of digits of a decimal or hex length. Default for hex: 4.
        digits: Option<At<Int<1, 19>>>,
        /// The bytes that end a decimal or hex length.
        until: Option<At<LiteralValue>>,
        /// The bytes that end the message. They are neither counted nor written in `send` and `expect`.
        after: Option<LiteralValue>,
        /// How many of the bytes that are written in `send` and `expect`, the last ones, are not counted (AMQP: 1).
        trailer: Option<Int<1, 64>>,
    },
    /// The name of a header field with the length: lines, an empty line, then as many bytes (language servers). Only
    /// those are written in `send` and `expect`.
    Header(Text),
    /// The size of every message in bytes.
    Fixed(Int<1, { 64 << 20 }>),
    /// The number of lines of every message.
    Lines(Int<1, 1_000_000>),
}

impl BothWays<At<FrameValue>> {
    /// The frame of requests and that of replies.
    pub(super) fn frames(self, context: &Context<'_>) -> Read<(Frame, Frame)> {
        let frame = |value: Option<At<FrameValue>>| {
            value.map_or(Ok(Frame::None), |value| value.frame(context))
        };
        Ok((frame(self.request)?, frame(self.reply)?))
    }
}

impl At<FrameValue> {
    pub(super) fn frame(self, context: &Context<'_>) -> Read<Frame> {
        let (place, value) = self.split();
        match value {
            FrameValue::Resp => Ok(Frame::Resp),
            FrameValue::Http1 => Ok(Frame::Http1),
            FrameValue::Websocket => Ok(Frame::WebSocket),
            FrameValue::Eof => Ok(Frame::Eof),
            FrameValue::None => Ok(Frame::None),
            FrameValue::Until(delimiters) => until(delimiters, context),
            FrameValue::LastLine(source) => line(&source).map(Frame::LastLine),
            FrameValue::Header(name) => header(&name),
            FrameValue::Fixed(bytes) => Ok(Frame::Fixed(bytes.size())),
            FrameValue::Lines(lines) => Ok(Frame::Lines(lines.size())),
            FrameValue::Len {
                len,
                at,
                header,
                includes_self,
                includes_header,
                fill,
                masked,
                digits,
                until,
                after,
                trailer,
            } => LenKeys {
                place,
                len,
                at: at.map_or(0, Int::size),
                header,
                includes_self,
                includes_header,
                fill,
                masked,
                digits,
                until,
                after,
                trailer: trailer.map_or(0, Int::size),
            }
            .frame(context)
            .map(Frame::Len),
        }
    }
}

fn until(delimiters: At<OneOrMore<At<LiteralValue>>>, context: &Context<'_>) -> Read<Frame> {
    let (at, OneOrMore(delimiters)) = delimiters.split();
    let mut all = Vec::new();
    for delimiter in delimiters {
        let (at, delimiter) = delimiter.split();
        match delimiter.bytes(context)? {
            bytes if bytes.is_empty() => {
                return Err(at.fault("`until` is empty: nothing would end a message"));
            }
            bytes => all.push(bytes),
        }
    }
    let delimiters = Delimiters::new(all);
    delimiters
        .map(Frame::Until)
        .ok_or_else(|| at.fault("`until` is empty: nothing would end a message"))
}

/// A name of a header field: a token of RFC 9110 5.6.2.
fn header(name: &Text) -> Read<Frame> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.value.is_empty() || !name.value.bytes().all(is_token) {
        return Err(name
            .fault("`header` is not the name of a header field")
            .help("write the name alone, as in { header = \"Content-Length\" }"));
    }
    Ok(Frame::Header(HeaderFrame {
        name: name.value.clone(),
    }))
}
