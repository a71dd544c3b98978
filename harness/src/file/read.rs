//! Walking the parsed TOML by hand: every refusal says what was expected, what was found, and where.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(crate) use super::error::Text;
use super::error::{Fault, Read};
use crate::text::{self, did_you_mean};

/// A TOML value with its place.
pub(crate) type Value<'a> = Spanned<DeValue<'a>>;

/// Keys of the format that this version does not read: the section, the key, what it says, what to do.
const NOT_SUPPORTED_YET: &[(&str, &str, &str, &str)] = &[
    (
        "[server]",
        "reload",
        "a signal to reload the configuration",
        NOT_CHECKED,
    ),
    (
        "[promise]",
        "idle_timeout",
        "when the server closes a silent connection",
        NOT_CHECKED,
    ),
    (
        "[promise]",
        "families",
        "the address families the server listens on",
        NOT_CHECKED,
    ),
    (
        "[promise]",
        "port0",
        "a server that chooses its port",
        NOT_CHECKED,
    ),
    (
        "[promise]",
        "reload",
        "a reload that loses no request",
        NOT_CHECKED,
    ),
    (
        "[[talk.open]]",
        "exec",
        "a program that logs in",
        "write the login as `send` and `expect`",
    ),
];

const NOT_CHECKED: &str = "no check of this version uses it: remove the key";

/// The message and the help for a key of the format that this version does not read.
fn not_supported_yet(section: &str, key: &str) -> Option<(String, &'static str)> {
    if key == "tls" {
        let message = "not supported yet: TLS; the conversation is plain TCP";
        let help = "put a TLS terminator in front of the server and test the plain side";
        return Some((message.to_owned(), help));
    }
    NOT_SUPPORTED_YET
        .iter()
        .find(|entry| (entry.0, entry.1) == (section, key))
        .map(|(_, key, what, help)| (format!("not supported yet: `{key}`, {what}"), *help))
}

/// A table whose keys are all known.
pub(crate) struct Section<'a> {
    table: &'a DeTable<'a>,
    span: Range<usize>,
    name: String,
}

impl<'a> Section<'a> {
    /// Takes `value` as a table with no other keys than `keys`; `name` is how it is called in messages.
    pub(crate) fn new(value: &'a Value<'a>, name: &str, keys: &[&str]) -> Read<Self> {
        let table = table(value, name)?;
        let section = Self {
            table,
            span: value.span(),
            name: name.to_owned(),
        };
        section.refuse_unknown(keys)?;
        Ok(section)
    }

    fn refuse_unknown(&self, keys: &[&str]) -> Read<()> {
        // In the order of the file, so that the first mistake is the one that is shown.
        let unknown = self
            .table
            .iter()
            .map(|(key, _)| (key.span(), key.get_ref().as_ref()))
            .filter(|(_, key)| !keys.contains(key))
            .min_by_key(|(span, _)| span.start);
        match unknown {
            None => Ok(()),
            Some((span, key)) => Err(match not_supported_yet(&self.name, key) {
                Some((message, help)) => Fault::new(span, message).help(help),
                None => Fault::new(
                    span,
                    format!("unknown key `{}` in {}", key.escape_debug(), self.name),
                )
                .maybe_help(did_you_mean(key, keys.iter().copied())),
            }),
        }
    }

    pub(crate) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'a Value<'a>> {
        self.table
            .iter()
            .find(|(name, _)| name.get_ref() == key)
            .map(|(_, value)| value)
    }

    /// All keys with their values, in the order of the file.
    pub(crate) fn entries(&self) -> Vec<(Text<'a>, &'a Value<'a>)> {
        entries(self.table)
    }

    /// A fault for a key that has to be there.
    pub(crate) fn missing(&self, key: &str, why: &str) -> Fault {
        Fault::new(
            self.span.clone(),
            format!("{} has no `{key}`: {why}", self.name),
        )
    }

    pub(crate) fn text(&self, key: &str) -> Read<Option<Text<'a>>> {
        self.get(key).map(|value| text(value, key)).transpose()
    }

    pub(crate) fn flag(&self, key: &str) -> Read<Option<bool>> {
        self.get(key)
            .map(|value| match value.get_ref() {
                DeValue::Boolean(flag) => Ok(*flag),
                _ => Err(wrong_type(value, key, "true or false")),
            })
            .transpose()
    }

    pub(crate) fn integer(&self, key: &str, range: Range<u64>) -> Read<Option<u64>> {
        self.get(key)
            .map(|value| integer(value, key, range.clone()))
            .transpose()
    }

    pub(crate) fn size(&self, key: &str, range: Range<u64>) -> Read<Option<usize>> {
        let number = self.integer(key, range)?;
        Ok(number.and_then(|number| usize::try_from(number).ok()))
    }

    pub(crate) fn duration(&self, key: &str) -> Read<Option<Duration>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let wanted = "a duration with its unit, as in \"30s\" or \"500ms\"";
        match value.get_ref() {
            DeValue::Integer(number) => Err(Fault::new(
                value.span(),
                format!("`{key}` has no unit: a duration is a string with a unit"),
            )
            .help(format!(
                "write \"{}s\" or \"{}ms\"",
                number.as_str(),
                number.as_str()
            ))),
            DeValue::String(written) => text::duration(written)
                .map(Some)
                .map_err(|why| Fault::new(value.span(), format!("`{key}`: {why}"))),
            _ => Err(wrong_type(value, key, wanted)),
        }
    }

    pub(crate) fn list(&self, key: &str) -> Read<Vec<&'a Value<'a>>> {
        self.get(key)
            .map_or(Ok(Vec::new()), |value| list(value, key))
    }

    pub(crate) fn texts(&self, key: &str) -> Read<Vec<Text<'a>>> {
        self.list(key)?
            .into_iter()
            .map(|value| text(value, &format!("an entry of `{key}`")))
            .collect()
    }

    /// `[[section.key]]`: each table with its keys checked.
    pub(crate) fn sections(&self, key: &str, name: &str, keys: &[&str]) -> Read<Vec<Section<'a>>> {
        let Some(value) = self.get(key) else {
            return Ok(Vec::new());
        };
        let DeValue::Array(tables) = value.get_ref() else {
            let fault = wrong_type(value, key, "a list of tables");
            return Err(fault.help(format!("write [[{name}]] with two brackets")));
        };
        tables
            .iter()
            .map(|table| Section::new(table, &format!("[[{name}]]"), keys))
            .collect()
    }
}

/// All keys of a table with their values, in the order of the file.
pub(crate) fn entries<'a>(table: &'a DeTable<'a>) -> Vec<(Text<'a>, &'a Value<'a>)> {
    let mut all: Vec<_> = table
        .iter()
        .map(|(key, value)| {
            let text = Text {
                value: key.get_ref().as_ref(),
                span: key.span(),
            };
            (text, value)
        })
        .collect();
    all.sort_by_key(|(key, _)| key.span.start);
    all
}

/// "`name` must be X, not Y".
pub(crate) fn wrong_type(value: &Value<'_>, name: &str, wanted: &str) -> Fault {
    let quoted = if name.contains(['[', ' ']) {
        name.to_owned()
    } else {
        format!("`{name}`")
    };
    Fault::new(
        value.span(),
        format!("{quoted} must be {wanted}, not {}", kind(value.get_ref())),
    )
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

pub(crate) fn table<'a>(value: &'a Value<'a>, name: &str) -> Read<&'a DeTable<'a>> {
    match value.get_ref() {
        DeValue::Table(table) => Ok(table),
        _ => Err(wrong_type(value, name, "a table")),
    }
}

pub(crate) fn text<'a>(value: &'a Value<'a>, name: &str) -> Read<Text<'a>> {
    match value.get_ref() {
        DeValue::String(text) => Ok(Text {
            value: text.as_ref(),
            span: value.span(),
        }),
        _ => Err(wrong_type(value, name, "a string")),
    }
}

pub(crate) fn list<'a>(value: &'a Value<'a>, name: &str) -> Read<Vec<&'a Value<'a>>> {
    match value.get_ref() {
        DeValue::Array(list) => Ok(list.iter().collect()),
        _ => Err(wrong_type(value, name, "a list")),
    }
}

pub(crate) fn integer(value: &Value<'_>, name: &str, range: Range<u64>) -> Read<u64> {
    let DeValue::Integer(number) = value.get_ref() else {
        return Err(wrong_type(value, name, "an integer"));
    };
    i128::from_str_radix(number.as_str(), number.radix())
        .ok()
        .and_then(|number| u64::try_from(number).ok())
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            let bounds = format!("{} to {}", range.start, range.end.saturating_sub(1));
            Fault::new(
                value.span(),
                format!("`{name}` must be {bounds}, not {number}"),
            )
        })
}
