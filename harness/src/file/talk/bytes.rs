//! Bytes, hex and patterns without placeholders.

use schemars::JsonSchema;
use serde::Deserialize;

use super::mistakes::no_literal_escapes;
use crate::file::value::Text;
use crate::file::{Context, Read};
use crate::talk::Pattern;

/// Bytes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", expecting = "a string or { hex = \"...\" }")]
pub(super) enum LiteralValue {
    /// A string, as it is.
    Text(Text),
    /// Pairs of hex digits, as in "0d 0a".
    Hex(Text),
}

impl LiteralValue {
    pub(super) fn bytes(self, context: &Context<'_>) -> Read<Vec<u8>> {
        match self {
            Self::Text(text) => {
                no_literal_escapes(&text, context)?;
                Ok(text.value.into_bytes())
            }
            Self::Hex(digits) => hex(&digits),
        }
    }
}

/// A whole message, without placeholders.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    rename_all = "snake_case",
    expecting = "a string, { hex = \"...\" } or { regex = \"...\" }"
)]
pub(super) enum PatternValue {
    /// The exact text.
    Text(Text),
    /// The exact bytes, as pairs of hex digits.
    Hex(Text),
    /// A regex over bytes, anchored as it is written.
    Regex(Text),
}

impl PatternValue {
    pub(super) fn pattern(self, context: &Context<'_>) -> Read<Pattern> {
        match self {
            Self::Text(text) => {
                no_literal_escapes(&text, context)?;
                Ok(Pattern::Exact(text.value.into_bytes()))
            }
            Self::Hex(digits) => hex(&digits).map(Pattern::Exact),
            Self::Regex(source) => regex(&source),
        }
    }

    /// The pattern of what begins with the text or the bytes.
    pub(super) fn beginning(self, context: &Context<'_>) -> Read<Pattern> {
        match self.pattern(context)? {
            Pattern::Exact(start) => Ok(Pattern::Start(start)),
            regex @ (Pattern::Start(_) | Pattern::Regex(_)) => Ok(regex),
        }
    }
}

/// A regex without placeholders.
pub(super) fn regex(source: &Text) -> Read<Pattern> {
    Pattern::regex(&source.value).map_err(|why| source.fault(format!("bad regex: {why}")))
}

/// The pattern of a line.
pub(super) fn line(source: &Text) -> Read<Pattern> {
    Pattern::of_bytes(&source.value).map_err(|why| source.fault(format!("bad regex: {why}")))
}

/// `ff fe 0d0a`: pairs of hex digits, with or without white space between them.
pub(super) fn hex(text: &Text) -> Read<Vec<u8>> {
    let help = "write pairs of hex digits, as in \"ff fe 0d 0a\"";
    let mut bytes = Vec::new();
    for word in text.value.split_ascii_whitespace() {
        let digits: Option<Vec<u8>> = word
            .chars()
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect();
        let Some(digits) = digits else {
            let message = format!("bad hex: \"{}\"", word.escape_debug());
            return Err(text.fault(message).fragment(word).help(help));
        };
        if digits.len() % 2 == 1 {
            let message = format!("bad hex: \"{word}\" has an odd number of digits");
            return Err(text.fault(message).help(help));
        }
        bytes.extend(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]));
    }
    Ok(bytes)
}
