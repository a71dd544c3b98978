//! `[promise]`: what the server promises.

use super::Read;
use super::read::{Section, Value};
use crate::subject::{Encoding, Promise};

pub(super) const KEYS: &[&str] = &[
    "max_message",
    "drains_on_stop",
    "pipelining",
    "encoding",
    "max_connections",
];

pub(super) fn read(value: Option<&Value<'_>>) -> Read<Promise> {
    let Some(value) = value else {
        return Ok(Promise::default());
    };
    let section = Section::new(value, "[promise]", KEYS)?;
    Ok(Promise {
        max_message: section.size("max_message", 1..(64 << 20) + 1)?,
        drains_on_stop: section.flag("drains_on_stop")?,
        pipelining: section.flag("pipelining")?,
        encoding: read_encoding(&section)?,
        max_connections: section.size("max_connections", 1..1_000_001)?,
    })
}

fn read_encoding(section: &Section<'_>) -> Read<Option<Encoding>> {
    let Some(name) = section.text("encoding")? else {
        return Ok(None);
    };
    match name.value.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" => Ok(Some(Encoding::Utf8)),
        other => {
            let message = format!("not supported yet: the encoding `{}`", other.escape_debug());
            Err(name
                .fault(message)
                .help("the encoding that is known is \"utf-8\""))
        }
    }
}
