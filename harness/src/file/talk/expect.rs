//! `expect = ...`

use std::collections::BTreeSet;
use std::sync::Arc;

use toml::de::DeValue;

use super::super::read::{Section, Text, Value, text, wrong_type};
use super::message::template;
use super::{bad_template, bytes, known};
use crate::file::{Fault, Read};
use crate::talk::Expect;
use crate::talk::RegexTemplate;

/// Keys of an expectation that is a table.
pub(crate) const KEYS: &[&str] = &["hex", "regex", "not"];

const WANTED: &str = "a string, { hex = }, { regex = }, { not = } or \"eof\"";

/// An expectation.
pub(super) fn expect(value: &Value<'_>, names: &BTreeSet<String>) -> Read<Expect> {
    let expect = match value.get_ref() {
        DeValue::String(word) if word == "eof" => Expect::Eof,
        DeValue::String(_) => Expect::Exact(template(&text(value, "expect")?, names)?),
        DeValue::Table(_) => from_table(value, names)?,
        _ => return Err(wrong_type(value, "expect", WANTED)),
    };
    if compares_nothing(&expect) {
        return Err(
            Fault::new(value.span(), "this expectation compares nothing")
                .help("every reply has to be compared with something; for a close write \"eof\""),
        );
    }
    Ok(expect)
}

fn compares_nothing(expect: &Expect) -> bool {
    match expect {
        Expect::Exact(template) => template.is_empty(),
        Expect::Bytes(bytes) => bytes.is_empty(),
        Expect::Regex(regex) => regex.is_vacuous(),
        Expect::Not(inner) => compares_nothing(inner),
        Expect::Eof => false,
    }
}

fn from_table(value: &Value<'_>, names: &BTreeSet<String>) -> Read<Expect> {
    let section = Section::new(value, "`expect`", KEYS)?;
    let entries = section.entries();
    let [(key, inner)] = entries.as_slice() else {
        return Err(
            Fault::new(section.span(), format!("`expect` must be {WANTED}"))
                .help("exactly one of hex, regex, not"),
        );
    };
    match key.value {
        "hex" => Ok(Expect::Bytes(bytes::hex(&text(inner, "hex")?)?)),
        "regex" => regex(&text(inner, "regex")?, names),
        _ => not(inner, names),
    }
}

fn regex(source: &Text<'_>, names: &BTreeSet<String>) -> Read<Expect> {
    let regex = RegexTemplate::parse(source.value).map_err(|error| bad_template(source, error))?;
    known(source, regex.slots(), names)?;
    Ok(Expect::Regex(Arc::new(regex)))
}

/// `{ not = "text" }`: does not occur. `{ not = { regex = } }`, `{ not = { hex = } }`.
fn not(value: &Value<'_>, names: &BTreeSet<String>) -> Read<Expect> {
    let inner = match value.get_ref() {
        DeValue::String(_) => {
            let text = text(value, "not")?;
            if text.value.starts_with('^') || text.value.ends_with('$') {
                let message = "a string after `not` is taken as it is, and this looks like a regex";
                let help = "write { not = { regex = \"...\" } }, or { not = { hex = \"...\" } } for these very bytes";
                return Err(text.fault(message).help(help));
            }
            Expect::Exact(template(&text, names)?)
        }
        DeValue::Table(_) => {
            let section = Section::new(value, "`not`", &["hex", "regex"])?;
            let entries = section.entries();
            match entries.as_slice() {
                [(key, inner)] if key.value == "hex" => {
                    Expect::Bytes(bytes::hex(&text(inner, "hex")?)?)
                }
                [(_, inner)] => regex(&text(inner, "regex")?, names)?,
                _ => {
                    return Err(Fault::new(
                        section.span(),
                        "`not` takes a string, { regex = } or { hex = }",
                    ));
                }
            }
        }
        _ => {
            return Err(wrong_type(
                value,
                "not",
                "a string, { regex = } or { hex = }",
            ));
        }
    };
    Ok(Expect::Not(Box::new(inner)))
}
