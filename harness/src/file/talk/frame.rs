//! `frame = ...`: how a message ends.

use schemars::JsonSchema;
use serde::Deserialize;

use super::bytes::{LiteralValue, hex, regex};
use crate::file::Read;
use crate::file::value::{At, BothWays, Int, Text};
use crate::talk::frame::{Frame, LenFrame, LengthScope};
use crate::talk::uint::Uint;

/// The largest header of a message, in bytes.
const HEADER_BYTES_MAX: u64 = 4096;

/// How a message ends.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    rename_all = "snake_case",
    deny_unknown_fields,
    expecting = "a word or a table, as in { until = \"\\n\" }"
)]
pub(super) enum FrameValue {
    Resp,
    Http1,
    Eof,
    None,
    /// The bytes that end a message. They are part of what is written in `send` and `expect`.
    Until(At<LiteralValue>),
    /// A regex: the message ends with the first line that matches (SMTP, FTP).
    LastLine(Text),
    /// A binary length in a header. Only the bytes after the header are written in `send` and `expect`.
    Len {
        /// The type of the length.
        #[schemars(extend("enum" = Uint::NAMES))]
        len: Text,
        /// The offset of the length in the header, in bytes.
        #[serde(default)]
        at: Option<Int<0, { HEADER_BYTES_MAX - 1 }>>,
        /// The size of the header in bytes. Default: it ends with the length.
        header: Option<Int<1, HEADER_BYTES_MAX>>,
        /// The length counts from its own first byte (PostgreSQL).
        #[serde(default)]
        includes_self: bool,
        /// The length counts the whole header (BGP).
        #[serde(default)]
        includes_header: bool,
        /// The other bytes of the header in a request, as pairs of hex digits. Default: zeros.
        fill: Option<Text>,
    },
    /// The size of every message in bytes.
    Fixed(Int<1, { 64 << 20 }>),
    /// The number of lines of every message.
    Lines(Int<1, 1_000_000>),
}

impl BothWays<At<FrameValue>> {
    /// The frame of requests and that of replies.
    pub(super) fn frames(self) -> Read<(Frame, Frame)> {
        let frame = |value: Option<At<FrameValue>>| value.map_or(Ok(Frame::None), At::frame);
        Ok((frame(self.request)?, frame(self.reply)?))
    }
}

impl At<FrameValue> {
    pub(super) fn frame(self) -> Read<Frame> {
        match self.value {
            FrameValue::Resp => Ok(Frame::Resp),
            FrameValue::Http1 => Ok(Frame::Http1),
            FrameValue::Eof => Ok(Frame::Eof),
            FrameValue::None => Ok(Frame::None),
            FrameValue::Until(delimiter) => {
                let (at, delimiter) = delimiter.split();
                match delimiter.bytes()? {
                    bytes if bytes.is_empty() => {
                        Err(at.fault("`until` is empty: nothing would end a message"))
                    }
                    bytes => Ok(Frame::Until(bytes)),
                }
            }
            FrameValue::LastLine(source) => regex(&source).map(Frame::LastLine),
            FrameValue::Fixed(bytes) => Ok(Frame::Fixed(bytes.size())),
            FrameValue::Lines(lines) => Ok(Frame::Lines(lines.size())),
            FrameValue::Len { .. } => self.len(),
        }
    }

    fn len(self) -> Read<Frame> {
        let FrameValue::Len {
            len,
            at,
            header,
            includes_self,
            includes_header,
            fill,
        } = &self.value
        else {
            return Ok(Frame::None);
        };
        let Some(field) = Uint::from_name(&len.value) else {
            let message = format!("unknown type of length `{}`", len.value.escape_debug());
            let help = format!("the types are {}", Uint::NAMES.join(", "));
            return Err(len.fault(message).help(help));
        };
        let at = at.map_or(0, Int::size);
        let header = header.map_or(at + field.width, Int::size);
        if header < at + field.width {
            let message = format!("a {field} at {at} does not fit into a header of {header} bytes");
            return Err(self.fault(message));
        }
        let counts = match (includes_header, includes_self) {
            (true, _) => LengthScope::Whole,
            (false, true) => LengthScope::FromField,
            (false, false) => LengthScope::Body,
        };
        let fill = match fill {
            None => vec![0; header],
            Some(digits) => {
                let fill = hex(digits)?;
                if fill.len() != header {
                    let message = format!("`fill` has {} bytes, the header {header}", fill.len());
                    return Err(digits.fault(message));
                }
                fill
            }
        };
        Ok(Frame::Len(LenFrame {
            field,
            at,
            header,
            counts,
            fill,
        }))
    }
}
