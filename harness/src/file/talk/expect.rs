//! `expect = ...`

use std::collections::BTreeSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::bytes::{PatternValue, hex};
use super::known;
use super::message::{PART_BYTES_MAX, file, place_in_json, repeated, template};
use crate::file::value::{At, Int, OneOrMore, Text};
use crate::file::{Context, Read};
use crate::talk::regex_concat::ConcatPart;
use crate::talk::template::{Bindings, Quotes};
use crate::talk::{Expect, MessagePart, RegexTemplate};

/// What has to come back, or a part of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    rename_all = "snake_case",
    deny_unknown_fields,
    expecting = "a string, { hex = }, { regex = }, { not = }, { json = }, { none = true }, \"eof\", or a list of parts"
)]
pub(super) enum ExpectValue {
    /// The exact reply, with placeholders; "eof": the server closes.
    Text(Text),
    /// The exact reply as pairs of hex digits.
    Hex(Text),
    /// A regex over bytes, anchored as it is written. The value of a placeholder in it is literal.
    Regex(Text),
    /// What must not occur in the reply.
    Not(PatternValue),
    /// A JSON value, compared as a value: spaces, escapes and the order of keys do not matter.
    Json(Text),
    /// true: there is no reply.
    None(bool),
    /// A string that is repeated.
    Repeat {
        /// What is repeated.
        repeat: Text,
        /// The number of repetitions.
        n: Int<0, PART_BYTES_MAX>,
    },
    /// The content of this file; the path is relative to the folder of `tcprove.toml`.
    File(Text),
    /// As a string, compared with the whole message, with what its frame adds to it.
    Raw(Text),
    /// As `hex`, compared with the whole message, with what its frame adds to it.
    RawHex(Text),
}

/// A part of a list.
enum Part {
    Exact(MessagePart),
    Regex(Text),
}

impl At<OneOrMore<At<ExpectValue>>> {
    /// The expectation. `names` are the identifiers that its templates may use.
    pub(super) fn expect(self, context: &Context<'_>, names: &BTreeSet<String>) -> Read<Expect> {
        let (place, OneOrMore(parts)) = self.split();
        let raw = |part: &At<ExpectValue>| {
            matches!(part.value, ExpectValue::Raw(_) | ExpectValue::RawHex(_))
        };
        let whole = parts.iter().any(raw);
        let is_list = parts.first().is_none_or(|first| first.start != place.start);
        let expect = match parts.as_slice() {
            [part] if !is_list => part.single(context, names)?,
            parts => list(parts, context, names)?,
        };
        if compares_nothing(&expect) {
            return Err(place
                .fault("this expectation is met by a server that sends nothing")
                .help(
                    "every reply is compared with something; if there is none, write { none = true }; \
                     for a close write \"eof\"",
                ));
        }
        Ok(match whole {
            true => Expect::Whole(Box::new(expect)),
            false => expect,
        })
    }
}

impl At<ExpectValue> {
    /// An expectation that is not a list.
    fn single(&self, context: &Context<'_>, names: &BTreeSet<String>) -> Read<Expect> {
        Ok(match &self.value {
            ExpectValue::Text(word) if word.value == "eof" => Expect::Eof,
            ExpectValue::Regex(source) => regex(source, names)?,
            ExpectValue::Not(inner) => Expect::Not(Box::new(not(inner, context, names)?)),
            ExpectValue::Json(text) => json(text, names)?,
            ExpectValue::None(true) => Expect::NoReply,
            ExpectValue::None(false) => {
                let help = "write { none = true } if there is no reply";
                return Err(self.fault("`none = false` says nothing").help(help));
            }
            _ => match self.part(context, names)? {
                Part::Exact(part) => Expect::Exact(vec![part]),
                Part::Regex(source) => regex(&source, names)?,
            },
        })
    }

    /// A part of a list.
    fn part(&self, context: &Context<'_>, names: &BTreeSet<String>) -> Read<Part> {
        let exact = match &self.value {
            ExpectValue::Text(text) | ExpectValue::Raw(text) => {
                MessagePart::Text(template(text, context, names)?)
            }
            ExpectValue::Hex(digits) | ExpectValue::RawHex(digits) => {
                MessagePart::Bytes(Arc::from(hex(digits)?))
            }
            ExpectValue::File(name) => file(name, context)?,
            ExpectValue::Repeat { repeat, n } => {
                repeated(self, template(repeat, context, names)?, n.size())?
            }
            ExpectValue::Regex(source) => return Ok(Part::Regex(source.clone())),
            ExpectValue::Not(_) | ExpectValue::Json(_) | ExpectValue::None(_) => {
                return Err(self
                    .fault("`not`, `json` and `none` are about a whole reply, and no part of a list")
                    .help("a list has strings, { hex = }, { regex = }, { repeat =, n = } and { file = }"));
            }
        };
        Ok(Part::Exact(exact))
    }
}

/// The parts one after the other.
fn list(
    values: &[At<ExpectValue>],
    context: &Context<'_>,
    names: &BTreeSet<String>,
) -> Read<Expect> {
    let mut parts = Vec::new();
    let mut quotes = Quotes::default();
    for value in values {
        if matches!(&value.value, ExpectValue::Text(word) if word.value == "eof") {
            return Err(value
                .fault("\"eof\" is a whole expectation, and no part of a list")
                .help("if the server closes after this reply, say `last = true` beside `expect`"));
        }
        let mut part = value.part(context, names)?;
        match &mut part {
            Part::Exact(part) => place_in_json(part, &mut quotes),
            Part::Regex(source) => {
                // Errors point at the part.
                let regex = RegexTemplate::parse(&source.value);
                let regex = regex.map_err(|error| source.bad_template(error))?;
                known(source, regex.slots(), names)?;
            }
        }
        parts.push(part);
    }
    let is_exact = parts.iter().all(|part| matches!(part, Part::Exact(_)));
    if is_exact {
        let exact = parts.into_iter().filter_map(|part| match part {
            Part::Exact(part) => Some(part),
            Part::Regex(_) => None,
        });
        return Ok(Expect::Exact(exact.collect()));
    }
    let joined = parts.iter().map(|part| match part {
        Part::Exact(part) => ConcatPart::Exact(part),
        Part::Regex(source) => ConcatPart::Regex(&source.value),
    });
    let joined = RegexTemplate::concat(&joined.collect::<Vec<_>>());
    match (joined, values.first()) {
        (Ok(regex), _) => Ok(Expect::Regex(Arc::new(regex))),
        (Err(error), Some(first)) => Err(first.fault(error.message).maybe_help(error.help)),
        (Err(_), None) => Ok(Expect::Exact(Vec::new())),
    }
}

/// Whether the expectation is met by a server that says nothing, or by any reply.
fn compares_nothing(expect: &Expect) -> bool {
    match expect {
        Expect::Exact(parts) => parts.iter().all(|part| match part {
            MessagePart::Text(text) => text.is_empty(),
            MessagePart::Bytes(bytes) => bytes.is_empty(),
            MessagePart::Repeat { text, count } => text.is_empty() || *count == 0,
        }),
        Expect::Regex(regex) => regex.matches_empty(),
        Expect::Not(inner) => match &**inner {
            Expect::Regex(regex) => regex.is_vacuous(),
            inner => compares_nothing(inner),
        },
        Expect::Whole(inner) => compares_nothing(inner),
        Expect::Json(_) | Expect::NoReply | Expect::Eof => false,
    }
}

fn regex(source: &Text, names: &BTreeSet<String>) -> Read<Expect> {
    let regex = RegexTemplate::parse(&source.value).map_err(|error| source.bad_template(error))?;
    known(source, regex.slots(), names)?;
    Ok(Expect::Regex(Arc::new(regex)))
}

/// A JSON value. A backslash before a letter is JSON's own escape, so single quotes are fine.
fn json(text: &Text, names: &BTreeSet<String>) -> Read<Expect> {
    let template = crate::talk::Template::parse(&text.value);
    let template = template.map_err(|error| text.bad_template(error))?;
    known(text, template.slots(), names)?;
    let values = template
        .slots()
        .map(|slot| (slot.name.as_str().to_owned(), b"1".to_vec()));
    let bindings = Bindings {
        tok: "abcdefghijkl".to_owned(),
        payload: b"1".to_vec(),
        values: values.collect(),
        ..Bindings::default()
    };
    let expect = Expect::Json(template);
    match expect.render(&bindings) {
        Ok(_) => Ok(expect),
        Err(why) => Err(text.fault(why.to_string()).help(
            "write a JSON value, as in { json = '{\"id\": {seq}, \"text\": {json:payload}}' }",
        )),
    }
}

fn not(inner: &PatternValue, context: &Context<'_>, names: &BTreeSet<String>) -> Read<Expect> {
    match inner {
        PatternValue::Text(text) if text.value.starts_with('^') || text.value.ends_with('$') => {
            let message = "a string after `not` is taken literally, and this looks like a regex";
            let help = "write { not = { regex = \"...\" } }, or { not = { hex = \"...\" } } for these very bytes";
            Err(text.fault(message).help(help))
        }
        PatternValue::Text(text) => Ok(Expect::text(template(text, context, names)?)),
        PatternValue::Hex(digits) => {
            let bytes = MessagePart::Bytes(Arc::from(hex(digits)?));
            Ok(Expect::Exact(vec![bytes]))
        }
        PatternValue::Regex(source) => regex(source, names),
    }
}
