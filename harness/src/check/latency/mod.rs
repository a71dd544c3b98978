//! Replies that come late for no reason.

mod nagle_40ms;

use super::Check;

/// The group, as shown.
const GROUP: &str = "latency";

/// The checks of this group, in the order in which they are shown.
pub const CHECKS: &[&Check] = &[&nagle_40ms::ENTRY];
