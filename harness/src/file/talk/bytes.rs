//! Bytes, hex and patterns without placeholders.

use toml::de::DeValue;

use super::super::read::{Section, Text, Value, text, wrong_type};
use crate::file::Read;
use crate::talk::Pattern;

/// `ff fe 0d0a`: pairs of hex digits, white space between them or not.
pub(super) fn hex(text: &Text<'_>) -> Read<Vec<u8>> {
    let help = "pairs of hex digits, as in \"ff fe 0d 0a\"";
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

/// A string as it is, or `{ hex = }`.
pub(super) fn literal(value: &Value<'_>, name: &str) -> Read<Vec<u8>> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text.as_bytes().to_vec()),
        DeValue::Table(_) => {
            let section = Section::new(value, &format!("`{name}`"), &["hex"])?;
            let Some(digits) = section.text("hex")? else {
                return Err(section.missing("hex", "the bytes"));
            };
            hex(&digits)
        }
        _ => Err(wrong_type(value, name, "a string or { hex = \"...\" }")),
    }
}

/// A string that has to be the whole message, `{ hex = }`, or `{ regex = }`; no placeholders.
pub(super) fn pattern(value: &Value<'_>, name: &str) -> Read<Pattern> {
    match value.get_ref() {
        DeValue::Table(_) => {
            let section = Section::new(value, &format!("`{name}`"), &["regex", "hex"])?;
            match section.text("regex")? {
                Some(source) if section.get("hex").is_none() => regex(&source),
                Some(source) => Err(source.fault("either `regex` or `hex`, not both")),
                None => literal(value, name).map(Pattern::Exact),
            }
        }
        DeValue::String(_) => literal(value, name).map(Pattern::Exact),
        _ => Err(wrong_type(value, name, "a string or { regex = \"...\" }")),
    }
}

/// A regex without placeholders.
pub(super) fn regex(source: &Text<'_>) -> Read<Pattern> {
    Pattern::regex(source.value).map_err(|why| source.fault(format!("bad regex: {why}")))
}

/// A string as a regex.
pub(super) fn regex_value(value: &Value<'_>, name: &str) -> Read<Pattern> {
    regex(&text(value, name)?)
}
