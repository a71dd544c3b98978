//! `send = ...`

use std::collections::BTreeSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::bytes::hex;
use super::known;
use super::mistakes::no_literal_escapes;
use crate::file::value::{At, Int, OneOrMore, Text};
use crate::file::{Context, Read};
use crate::talk::template::{Quotes, Template, TemplatePiece};
use crate::talk::{Message, MessagePart};

/// The largest part of a message, in bytes.
pub(super) const PART_BYTES_MAX: u64 = 64 << 20;

/// What is sent, or a part of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    rename_all = "snake_case",
    deny_unknown_fields,
    expecting = "a string, { hex = }, { repeat =, n = }, { file = }, { raw = }, { raw_hex = } or a list of those"
)]
pub(super) enum PartValue {
    /// A string with placeholders.
    Text(Text),
    /// Pairs of hex digits, as in "ff fe 0d 0a".
    Hex(Text),
    /// A string that is repeated.
    Repeat {
        /// What is repeated.
        repeat: Text,
        /// The number of repetitions.
        n: Int<0, PART_BYTES_MAX>,
    },
    /// The content of this file; the path is relative to the folder of `tcprove.toml`.
    File(Text),
    /// A string that is sent without a length header.
    Raw(Text),
    /// Bytes as pairs of hex digits that are sent without a length header.
    RawHex(Text),
}

impl OneOrMore<At<PartValue>> {
    /// The whole message. `names` are the identifiers that its templates may use.
    pub(super) fn message(self, context: &Context<'_>, names: &BTreeSet<String>) -> Read<Message> {
        Ok(Message {
            raw: self.is_raw(),
            parts: self.parts(context, names)?,
            head: None,
        })
    }

    /// Whether a part is `{ raw = }` or `{ raw_hex = }`.
    pub(super) fn is_raw(&self) -> bool {
        let raw =
            |part: &At<PartValue>| matches!(part.value, PartValue::Raw(_) | PartValue::RawHex(_));
        self.0.iter().any(raw)
    }

    /// The parts, one after the other.
    pub(super) fn parts(
        self,
        context: &Context<'_>,
        names: &BTreeSet<String>,
    ) -> Read<Vec<MessagePart>> {
        let mut quotes = Quotes::default();
        let parts = self.0.into_iter();
        parts
            .map(|part| {
                let mut part = part.part(context, names)?;
                place_in_json(&mut part, &mut quotes);
                Ok(part)
            })
            .collect()
    }
}

/// A JSON string may begin in one part and end in another.
pub(super) fn place_in_json(part: &mut MessagePart, quotes: &mut Quotes) {
    if let MessagePart::Text(text) = part {
        text.place_in_json(quotes);
    }
}

impl At<PartValue> {
    fn part(self, context: &Context<'_>, names: &BTreeSet<String>) -> Read<MessagePart> {
        match &self.value {
            PartValue::Text(text) | PartValue::Raw(text) => {
                template(text, context, names).map(MessagePart::Text)
            }
            PartValue::Hex(digits) | PartValue::RawHex(digits) => {
                Ok(MessagePart::Bytes(Arc::from(hex(digits)?)))
            }
            PartValue::File(name) => file(name, context),
            PartValue::Repeat { repeat, n } => {
                let text = template(repeat, context, names)?;
                repeated(&self, text, n.size())
            }
        }
    }
}

/// A part of `count` times the text.
pub(super) fn repeated<T>(place: &At<T>, text: Template, count: usize) -> Read<MessagePart> {
    let once: usize = text.pieces().iter().map(bytes_at_least).sum();
    if once.saturating_mul(count) as u64 > PART_BYTES_MAX {
        let message = format!("{count} times {once} bytes is more than {PART_BYTES_MAX}");
        return Err(place.fault(message));
    }
    Ok(MessagePart::Repeat { text, count })
}

/// The size of a piece; that of a placeholder is a guess.
fn bytes_at_least(piece: &TemplatePiece) -> usize {
    match piece {
        TemplatePiece::Text(text) => text.len(),
        TemplatePiece::Slot(_) => 16,
    }
}

pub(super) fn file(name: &Text, context: &Context<'_>) -> Read<MessagePart> {
    let path = context.dir.join(&name.value);
    match (context.read)(&path) {
        Ok(bytes) => Ok(MessagePart::Bytes(Arc::from(bytes))),
        Err(why) => {
            let shown = path.display().to_string();
            let message = format!("{} cannot be read: {why}", shown.escape_debug());
            let help = "the path is relative to the folder of this file";
            Err(name.fault(message).help(help))
        }
    }
}

/// A string with placeholders that all have a value.
pub(super) fn template(
    text: &Text,
    context: &Context<'_>,
    names: &BTreeSet<String>,
) -> Read<Template> {
    no_literal_escapes(text, context)?;
    let template = Template::parse(&text.value).map_err(|error| text.bad_template(error))?;
    known(text, template.slots(), names)?;
    Ok(template)
}
