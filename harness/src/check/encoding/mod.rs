//! Text is bytes: split characters, invalid sequences, NULs, empty requests.

mod nul_bytes;
mod utf8_invalid;
mod utf8_invalid_lossy;
mod utf8_split_buffer;
mod utf8_split_char;
mod whole;
mod zero_length;

use super::Check;

const GROUP: &str = "encoding";

pub(super) const CHECKS: &[&Check] = &[
    &utf8_split_char::ENTRY,
    &utf8_split_buffer::ENTRY,
    &utf8_invalid::ENTRY,
    &utf8_invalid_lossy::ENTRY,
    &nul_bytes::ENTRY,
    &zero_length::ENTRY,
];
