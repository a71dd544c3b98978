//! Messages that are too long: for the receive buffer, for the limit, without an end.

mod at_limit;
mod endless_message;
mod huge_length;
mod over_buffer;

use super::Check;

const GROUP: &str = "limits";

pub(super) const CHECKS: &[&Check] = &[
    &at_limit::ENTRY,
    &over_buffer::ENTRY,
    &endless_message::ENTRY,
    &huge_length::ENTRY,
];
