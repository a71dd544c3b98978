//! `frame = ...`

use toml::de::DeValue;

use super::super::read::{Section, Value, table, wrong_type};
use super::bytes::{literal, regex_value};
use crate::file::{Fault, Read};
use crate::talk::frame::{Frame, LenFrame, LengthScope};
use crate::talk::uint::Uint;
use crate::text::did_you_mean;

/// Frames that are a word.
pub(crate) const WORDS: [&str; 4] = ["resp", "http1", "eof", "none"];

/// Keys of a frame that is a table.
pub(crate) const KEYS: &[&str] = &[
    "until",
    "last_line",
    "len",
    "at",
    "header",
    "includes_self",
    "includes_header",
    "fill",
    "fixed",
    "lines",
];

/// Keys that say which frame it is; the others belong to `len`.
const KINDS: [&str; 5] = ["until", "last_line", "len", "fixed", "lines"];

const LEN_ONLY: [&str; 5] = ["at", "header", "includes_self", "includes_header", "fill"];

/// No header is larger than this.
const HEADER_BYTES_MAX: u64 = 4096;

/// One frame for both ways, or `request` and `reply` apart.
pub(super) fn both(value: &Value<'_>) -> Read<(Frame, Frame)> {
    let apart = match value.get_ref() {
        DeValue::Table(_) => {
            let table = table(value, "frame")?;
            table
                .iter()
                .any(|(key, _)| matches!(key.get_ref().as_ref(), "request" | "reply"))
        }
        _ => false,
    };
    if !apart {
        let frame = one(value)?;
        return Ok((frame.clone(), frame));
    }
    let section = Section::new(value, "`frame`", &["request", "reply"])?;
    let side = |key| section.get(key).map(one).transpose();
    Ok((
        side("request")?.unwrap_or(Frame::None),
        side("reply")?.unwrap_or(Frame::None),
    ))
}

/// One frame.
pub(super) fn one(value: &Value<'_>) -> Read<Frame> {
    match value.get_ref() {
        DeValue::String(word) => match word.as_ref() {
            "resp" => Ok(Frame::Resp),
            "http1" => Ok(Frame::Http1),
            "eof" => Ok(Frame::Eof),
            "none" => Ok(Frame::None),
            other => Err(unknown_word(value, other)),
        },
        DeValue::Table(_) => from_table(value),
        _ => Err(wrong_type(
            value,
            "frame",
            "a word or a table, as in { until = \"\\n\" }",
        )),
    }
}

fn unknown_word(value: &Value<'_>, word: &str) -> Fault {
    let message = format!("not supported yet: the frame \"{}\"", word.escape_debug());
    let fault = Fault::new(value.span(), message);
    match KINDS.iter().find(|kind| **kind == word) {
        Some(kind) => fault.help(format!("this frame is a table: {{ {kind} = ... }}")),
        None => fault.maybe_help(did_you_mean(word, WORDS)),
    }
}

fn from_table(value: &Value<'_>) -> Read<Frame> {
    let section = Section::new(value, "`frame`", KEYS)?;
    let kinds: Vec<&str> = KINDS
        .into_iter()
        .filter(|kind| section.get(kind).is_some())
        .collect();
    let [kind] = kinds.as_slice() else {
        let message = if kinds.is_empty() {
            "`frame` does not say how a message ends".to_owned()
        } else {
            format!("`frame` says it twice: {}", kinds.join(" and "))
        };
        return Err(
            Fault::new(section.span(), message).help("one of until, last_line, len, fixed, lines")
        );
    };
    let stray = section
        .entries()
        .into_iter()
        .find(|(key, _)| LEN_ONLY.contains(&key.value));
    if let (true, Some((key, _))) = (*kind != "len", stray) {
        return Err(key.fault(format!(
            "`{}` goes with `len`, not with `{kind}`",
            key.value
        )));
    }
    let Some(inner) = section.get(kind) else {
        return Err(section.missing(kind, "it says how a message ends"));
    };
    match *kind {
        "until" => {
            let delimiter = literal(inner, "until")?;
            if delimiter.is_empty() {
                return Err(Fault::new(
                    inner.span(),
                    "`until` is empty: nothing would end a message",
                ));
            }
            Ok(Frame::Until(delimiter))
        }
        "last_line" => Ok(Frame::LastLine(regex_value(inner, "last_line")?)),
        "len" => len(&section).map(Frame::Len),
        "fixed" => Ok(Frame::Fixed(
            section.size("fixed", 1..(64 << 20) + 1)?.unwrap_or(1),
        )),
        _ => Ok(Frame::Lines(
            section.size("lines", 1..1_000_001)?.unwrap_or(1),
        )),
    }
}

fn len(section: &Section<'_>) -> Read<LenFrame> {
    let Some(name) = section.text("len")? else {
        return Err(section.missing("len", "the type of the length field"));
    };
    let Some(field) = Uint::from_name(name.value) else {
        let message = format!("unknown type of length `{}`", name.value.escape_debug());
        let help = format!("the types are {}", Uint::NAMES.join(", "));
        return Err(name.fault(message).help(help));
    };
    let at = section.size("at", 0..HEADER_BYTES_MAX)?.unwrap_or(0);
    let header = section
        .size("header", 1..HEADER_BYTES_MAX + 1)?
        .unwrap_or(at + field.width);
    if header < at + field.width {
        let message = format!("a {field} at {at} does not fit into a header of {header} bytes");
        return Err(Fault::new(section.span(), message));
    }
    let includes_self = section.flag("includes_self")?.unwrap_or(false);
    let includes_header = section.flag("includes_header")?.unwrap_or(false);
    let counts = match (includes_header, includes_self) {
        (true, _) => LengthScope::Whole,
        (false, true) => LengthScope::FromField,
        (false, false) => LengthScope::Body,
    };
    let fill = match section.text("fill")? {
        None => vec![0; header],
        Some(digits) => {
            let fill = super::bytes::hex(&digits)?;
            if fill.len() != header {
                let message = format!("`fill` has {} bytes, the header {header}", fill.len());
                return Err(digits.fault(message));
            }
            fill
        }
    };
    Ok(LenFrame {
        field,
        at,
        header,
        counts,
        fill,
    })
}
