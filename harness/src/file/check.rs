//! `[check]`: which checks count.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Read;
use super::value::{Int, Text};

/// Which checks count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckSection {
    /// Checks that are newer than this battery only warn.
    pub battery: Option<u32>,
    /// Patterns of check ids: a check that is skipped or inconclusive fails the run.
    pub require: Vec<String>,
}

/// Which checks count.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckTable {
    /// Checks that are newer than this battery only warn until it is raised.
    battery: Option<Int<1, 4_294_967_294>>,
    /// Patterns of check ids that may neither be skipped nor be inconclusive, as in "split-*".
    #[serde(default)]
    require: Vec<Text>,
}

impl CheckTable {
    pub(super) fn section(self) -> Read<CheckSection> {
        if let Some(empty) = self.require.iter().find(|pattern| pattern.value.is_empty()) {
            return Err(empty.fault("an empty pattern matches no check"));
        }
        let battery = self.battery.map(Int::size);
        Ok(CheckSection {
            battery: battery.and_then(|battery| u32::try_from(battery).ok()),
            require: self.require.into_iter().map(|text| text.value).collect(),
        })
    }
}
