//! More than fits: over the receive buffer, over the limit, without end.

mod at_limit;
mod endless_message;
mod huge_length;
mod over_buffer;

use super::Check;

/// The group, as shown.
const GROUP: &str = "limits";

/// The checks of this group, in the order in which they are shown.
pub const CHECKS: &[&Check] = &[
    &at_limit::ENTRY,
    &over_buffer::ENTRY,
    &endless_message::ENTRY,
    &huge_length::ENTRY,
];
