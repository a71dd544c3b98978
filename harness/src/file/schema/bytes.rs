//! The shape of bytes.

use schemars::JsonSchema;

#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum LiteralShape {
    Text(String),
    Hex(HexShape),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct HexShape {
    /// Pairs of hex digits.
    hex: String,
}
