//! `[[waive]]`: failures that are known, with a reason and perhaps an end.

use toml::de::DeValue;

use super::read::{Section, wrong_type};
use super::{Context, Fault, Read, line_and_column};
use crate::subject::{Date, Waiver};

pub(super) const KEYS: &[&str] = &["check", "reason", "until", "flaky", "finding"];

pub(super) fn read(root: &Section<'_>, context: &Context<'_>) -> Read<Vec<Waiver>> {
    root.sections("waive", "waive", KEYS)?
        .iter()
        .map(|section| {
            Ok(Waiver {
                check: required(section, "check", "which checks it is about")?,
                reason: required(section, "reason", "a waiver says why")?,
                until: read_until(section)?,
                flaky: section.flag("flaky")?.unwrap_or(false),
                finding: section.text("finding")?.map(|id| id.value.to_owned()),
                line: line_and_column(context.source, section.span().start).0,
            })
        })
        .collect()
}

fn required(section: &Section<'_>, key: &str, why: &str) -> Read<String> {
    match section.text(key)? {
        None => Err(section.missing(key, why)),
        Some(text) if text.value.trim().is_empty() => {
            Err(text.fault(format!("`{key}` is empty: {why}")))
        }
        Some(text) => Ok(text.value.to_owned()),
    }
}

fn read_until(section: &Section<'_>) -> Read<Option<Date>> {
    let Some(value) = section.get("until") else {
        return Ok(None);
    };
    let date = match value.get_ref() {
        DeValue::String(text) => text.parse(),
        DeValue::Datetime(date) if date.time.is_none() => date.to_string().parse(),
        _ => return Err(wrong_type(value, "until", "a day, as in \"2027-03-01\"")),
    };
    date.map(Some)
        .map_err(|why: String| Fault::new(value.span(), format!("`until`: {why}")))
}
