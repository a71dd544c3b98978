//! `[promise]`: what the server promises.

use super::Read;
use super::read::{Section, Value};
use crate::subject::{Encoding, Family, Promise};
use crate::text::did_you_mean;

pub(super) const KEYS: &[&str] = &[
    "max_message",
    "idle_timeout",
    "drains_on_stop",
    "pipelining",
    "encoding",
    "max_connections",
    "families",
    "port0",
    "reload",
];

pub(super) fn read(value: Option<&Value<'_>>) -> Read<Promise> {
    let Some(value) = value else {
        return Ok(Promise::default());
    };
    let section = Section::new(value, "[promise]", KEYS)?;
    Ok(Promise {
        max_message: section.size("max_message", 1..(64 << 20) + 1)?,
        idle_timeout: section.duration("idle_timeout")?,
        drains_on_stop: section.flag("drains_on_stop")?,
        pipelining: section.flag("pipelining")?,
        encoding: read_encoding(&section)?,
        max_connections: section.size("max_connections", 1..1_000_001)?,
        families: read_families(&section)?,
        port0: section.flag("port0")?.unwrap_or(false),
        reload: section.flag("reload")?,
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

fn read_families(section: &Section<'_>) -> Read<Vec<Family>> {
    let mut families = Vec::new();
    for name in section.texts("families")? {
        let family = match name.value {
            "ipv4" => Family::Ipv4,
            "ipv6" => Family::Ipv6,
            other => {
                let message = format!("unknown family `{}`", other.escape_debug());
                return Err(name
                    .fault(message)
                    .maybe_help(did_you_mean(other, ["ipv4", "ipv6"])));
            }
        };
        if !families.contains(&family) {
            families.push(family);
        }
    }
    Ok(families)
}
