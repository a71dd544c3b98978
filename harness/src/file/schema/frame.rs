//! The shape of `frame`.

use schemars::JsonSchema;

use super::bytes::LiteralShape;

#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum FramesShape {
    Both(FrameShape),
    Apart(FrameApart),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct FrameApart {
    /// How a request ends.
    request: Option<FrameShape>,
    /// How a reply ends.
    reply: Option<FrameShape>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum FrameShape {
    Word(FrameWord),
    Until(FrameUntil),
    LastLine(FrameLastLine),
    Len(FrameLen),
    Fixed(FrameFixed),
    Lines(FrameLines),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(super) enum FrameWord {
    Resp,
    Http1,
    Eof,
    None,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct FrameUntil {
    /// The bytes that end a message; part of what is written in send and expect.
    until: LiteralShape,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct FrameLastLine {
    /// A regex: the first line that matches is the last one.
    last_line: String,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct FrameLen {
    /// The type of the length field.
    len: LenType,
    /// Where the field is in the header.
    at: Option<u64>,
    /// Bytes of the whole header.
    header: Option<u64>,
    /// The length counts from its own first byte.
    includes_self: Option<bool>,
    /// The length counts the whole header.
    includes_header: Option<bool>,
    /// The header's other bytes in a request, in hex.
    fill: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum LenType {
    U8,
    U16be,
    U16le,
    U24be,
    U24le,
    U32be,
    U32le,
    U64be,
    U64le,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct FrameFixed {
    /// Bytes of every message.
    fixed: u64,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct FrameLines {
    /// Lines of every message.
    lines: u64,
}
