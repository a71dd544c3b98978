//! The shape of `[talk]`.

use schemars::JsonSchema;

use super::bytes::HexShape;
use super::frame::{FrameShape, FramesShape};

/// How one exchange goes.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct TalkShape {
    /// A built-in talk to start from; what this file adds comes first.
    r#use: Option<String>,
    /// How a message ends.
    frame: Option<FramesShape>,
    /// Who closes a connection.
    close: Option<CloseShape>,
    /// A reply like this announces that the server closes.
    close_when: Option<PatternShape>,
    /// Once a connection: greeting, login.
    open: Option<Vec<OpenShape>>,
    /// One request and its reply.
    turn: Option<Vec<ExchangeShape>>,
    /// Must be refused, and how.
    bad: Option<Vec<ExchangeShape>>,
    /// Takes the server a while.
    slow: Option<Vec<ExchangeShape>>,
    /// What the server may send unasked.
    push: Option<Vec<PushShape>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum CloseShape {
    Client,
    ServerAfterReply,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum PatternShape {
    Text(String),
    Hex(HexShape),
    Regex(RegexShape),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RegexShape {
    /// A regex over bytes, anchored as it is written.
    regex: String,
}

/// A request and what has to come back.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ExchangeShape {
    /// What is sent.
    send: SendShape,
    /// What has to come back.
    expect: ExpectShape,
    /// How this reply ends, if not as the talk says.
    frame: Option<FrameShape>,
}

/// A greeting, or a request and its reply.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct OpenShape {
    /// What is sent; nothing where the server speaks first.
    send: Option<SendShape>,
    /// What has to come back.
    expect: Option<ExpectShape>,
    /// How this reply ends, if not as the talk says.
    frame: Option<FrameShape>,
}

/// What the server may send unasked.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct PushShape {
    /// How it is recognized.
    r#match: PatternShape,
    /// The answer, if one is due.
    reply: Option<SendShape>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum SendShape {
    One(PartShape),
    List(Vec<PartShape>),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum PartShape {
    Text(String),
    Hex(HexShape),
    Repeat(RepeatShape),
    File(FilePart),
    Raw(RawShape),
    RawHex(RawHexShape),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RepeatShape {
    /// What is repeated.
    repeat: String,
    /// How often.
    n: u64,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct FilePart {
    /// The content of this file; the path is relative to this file's folder.
    file: String,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RawShape {
    /// Sent as it is, without a length header.
    raw: String,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RawHexShape {
    /// Bytes in hex, sent as they are, without a length header.
    raw_hex: String,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum ExpectShape {
    /// An exact reply, or "eof": the server closes.
    Text(String),
    Hex(HexShape),
    Regex(RegexShape),
    Not(NotShape),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct NotShape {
    /// Must not occur in the reply.
    not: PatternShape,
}
