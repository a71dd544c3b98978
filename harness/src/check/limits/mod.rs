//! Messages that are long: for the receive buffer, for the limit, without an end, for what the server does with them; and the
//! limits that the file states.

mod at_limit;
mod deep_nesting;
mod endless_message;
mod http;
mod huge_length;
mod limits_hold;
mod over_buffer;
mod rescan_quadratic;

use super::Check;

const GROUP: &str = "limits";

pub(super) const CHECKS: &[&Check] = &[
    &at_limit::ENTRY,
    &limits_hold::ENTRY,
    &over_buffer::ENTRY,
    &endless_message::ENTRY,
    &huge_length::ENTRY,
    &deep_nesting::ENTRY,
    &rescan_quadratic::ENTRY,
];
