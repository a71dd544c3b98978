//! `expect = ...`

use std::collections::BTreeSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::bytes::{PatternValue, hex};
use super::known;
use super::message::template;
use crate::file::Read;
use crate::file::value::{At, Text};
use crate::talk::{Expect, RegexTemplate};

/// What has to come back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    rename_all = "snake_case",
    expecting = "a string, { hex = }, { regex = }, { not = } or \"eof\""
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
}

impl At<ExpectValue> {
    /// The expectation. `names` are the identifiers that its templates may use.
    pub(super) fn expect(self, names: &BTreeSet<String>) -> Read<Expect> {
        let expect = match &self.value {
            ExpectValue::Text(word) if word.value == "eof" => Expect::Eof,
            ExpectValue::Text(text) => Expect::Exact(template(text, names)?),
            ExpectValue::Hex(digits) => Expect::Bytes(hex(digits)?),
            ExpectValue::Regex(source) => regex(source, names)?,
            ExpectValue::Not(inner) => Expect::Not(Box::new(not(inner, names)?)),
        };
        if compares_nothing(&expect) {
            return Err(self
                .fault("this expectation compares nothing")
                .help("every reply has to be compared with something; for a close write \"eof\""));
        }
        Ok(expect)
    }
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

fn regex(source: &Text, names: &BTreeSet<String>) -> Read<Expect> {
    let regex = RegexTemplate::parse(&source.value).map_err(|error| source.bad_template(error))?;
    known(source, regex.slots(), names)?;
    Ok(Expect::Regex(Arc::new(regex)))
}

fn not(inner: &PatternValue, names: &BTreeSet<String>) -> Read<Expect> {
    match inner {
        PatternValue::Text(text) if text.value.starts_with('^') || text.value.ends_with('$') => {
            let message = "a string after `not` is taken literally, and this looks like a regex";
            let help = "write { not = { regex = \"...\" } }, or { not = { hex = \"...\" } } for these very bytes";
            Err(text.fault(message).help(help))
        }
        PatternValue::Text(text) => Ok(Expect::Exact(template(text, names)?)),
        PatternValue::Hex(digits) => Ok(Expect::Bytes(hex(digits)?)),
        PatternValue::Regex(source) => regex(source, names),
    }
}
