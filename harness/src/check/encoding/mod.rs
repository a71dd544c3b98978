//! Text is bytes: characters cut in two, invalid sequences, NULs, nothing at all.

mod nul_bytes;
mod utf8_invalid;
mod utf8_split_buffer;
mod utf8_split_char;
mod zero_length;

use super::Check;

/// The group, as shown.
const GROUP: &str = "encoding";

/// The checks of this group, in the order in which they are shown.
pub const CHECKS: &[&Check] = &[
    &utf8_split_char::ENTRY,
    &utf8_split_buffer::ENTRY,
    &utf8_invalid::ENTRY,
    &nul_bytes::ENTRY,
    &zero_length::ENTRY,
];
