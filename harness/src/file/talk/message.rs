//! `send = ...`

use std::collections::BTreeSet;
use std::sync::Arc;

use toml::de::DeValue;

use super::super::read::{Section, Text, Value, text, wrong_type};
use super::{bad_template, bytes, known};
use crate::file::{Context, Fault, Read};
use crate::talk::template::{Template, TemplatePiece};
use crate::talk::{Message, MessagePart};

/// Keys of a part that is a table.
pub(crate) const KEYS: &[&str] = &["hex", "repeat", "n", "file", "raw", "raw_hex"];

/// A part may not become larger than this.
const PART_BYTES_MAX: u64 = 64 << 20;

const WANTED: &str = "a string, { hex = }, { repeat =, n = }, { file = }, { raw = }, { raw_hex = } or a list of those";

/// A whole message. `names` are the identifiers its templates may use.
pub(super) fn message(
    value: &Value<'_>,
    context: &Context<'_>,
    names: &BTreeSet<String>,
) -> Read<Message> {
    let mut message = Message {
        parts: Vec::new(),
        raw: false,
    };
    match value.get_ref() {
        DeValue::Array(parts) => {
            for value in parts.iter() {
                part(value, context, names, &mut message)?;
            }
        }
        _ => part(value, context, names, &mut message)?,
    }
    Ok(message)
}

fn part(
    value: &Value<'_>,
    context: &Context<'_>,
    names: &BTreeSet<String>,
    message: &mut Message,
) -> Read<()> {
    let part = match value.get_ref() {
        DeValue::String(_) => MessagePart::Text(template(&text(value, "send")?, names)?),
        DeValue::Table(_) => from_table(value, context, names, message)?,
        _ => return Err(wrong_type(value, "send", WANTED)),
    };
    message.parts.push(part);
    Ok(())
}

fn from_table(
    value: &Value<'_>,
    context: &Context<'_>,
    names: &BTreeSet<String>,
    message: &mut Message,
) -> Read<MessagePart> {
    let section = Section::new(value, "`send`", KEYS)?;
    let entries = section.entries();
    let (Some((key, value)), rest) = (
        entries.iter().find(|(key, _)| key.value != "n"),
        entries.len(),
    ) else {
        return Err(Fault::new(
            section.span(),
            format!("`send` must be {WANTED}"),
        ));
    };
    let (key, wanted_keys) = (key.value, if key.value == "repeat" { 2 } else { 1 });
    if rest != wanted_keys {
        let message = match key {
            "repeat" if rest == 1 => "`repeat` goes with `n`, how often".to_owned(),
            _ => format!("one kind a part: `{key}` and another key"),
        };
        return Err(
            Fault::new(section.span(), message).help("a list of parts is sent one after the other")
        );
    }
    let inner = text(value, key)?;
    message.raw |= matches!(key, "raw" | "raw_hex");
    match key {
        "hex" | "raw_hex" => Ok(MessagePart::Bytes(Arc::from(bytes::hex(&inner)?))),
        "raw" => Ok(MessagePart::Text(template(&inner, names)?)),
        "file" => file(&inner, context),
        _ => repeat(&section, &inner, names),
    }
}

fn repeat(section: &Section<'_>, inner: &Text<'_>, names: &BTreeSet<String>) -> Read<MessagePart> {
    let text = template(inner, names)?;
    let count = section.size("n", 0..PART_BYTES_MAX + 1)?.unwrap_or(0);
    let once: usize = text
        .pieces()
        .iter()
        .map(|piece| match piece {
            TemplatePiece::Text(text) => text.len(),
            TemplatePiece::Slot(_) => 16,
        })
        .sum();
    if once.saturating_mul(count) as u64 > PART_BYTES_MAX {
        let message = format!("{count} times {once} bytes is more than {PART_BYTES_MAX}");
        return Err(Fault::new(section.span(), message));
    }
    Ok(MessagePart::Repeat { text, count })
}

fn file(name: &Text<'_>, context: &Context<'_>) -> Read<MessagePart> {
    let path = context.dir.join(name.value);
    match (context.read)(&path) {
        Ok(bytes) => Ok(MessagePart::Bytes(Arc::from(bytes))),
        Err(why) => {
            let shown = path.display().to_string();
            let message = format!("{} cannot be read: {why}", shown.escape_debug());
            Err(name
                .fault(message)
                .help("the path is relative to the folder of this file"))
        }
    }
}

/// A string with placeholders, all of them known.
pub(super) fn template(text: &Text<'_>, names: &BTreeSet<String>) -> Read<Template> {
    let template = Template::parse(text.value).map_err(|error| bad_template(text, error))?;
    known(text, template.slots(), names)?;
    Ok(template)
}
