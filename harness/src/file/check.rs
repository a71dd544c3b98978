//! `[check]`: which checks have a say.

use super::Read;
use super::read::{Section, Value};

pub(super) const KEYS: &[&str] = &["battery", "require"];

/// Which checks have a say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckSection {
    /// Checks newer than this battery only warn.
    pub battery: Option<u32>,
    /// Patterns of check ids: one that skips or is inconclusive blocks.
    pub require: Vec<String>,
}

pub(super) fn read(value: Option<&Value<'_>>) -> Read<CheckSection> {
    let Some(value) = value else {
        return Ok(CheckSection::default());
    };
    let section = Section::new(value, "[check]", KEYS)?;
    let battery = section.integer("battery", 1..u64::from(u32::MAX))?;
    let mut require = Vec::new();
    for pattern in section.texts("require")? {
        if pattern.value.is_empty() {
            return Err(pattern.fault("an empty pattern matches no check"));
        }
        require.push(pattern.value.to_owned());
    }
    Ok(CheckSection {
        battery: battery.and_then(|battery| u32::try_from(battery).ok()),
        require,
    })
}
