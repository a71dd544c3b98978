//! Peers that do not read.

pub(super) mod bulk;
mod never_read;
mod stdout_blocked;

use super::Check;

/// The group, as shown.
const GROUP: &str = "backpressure";

/// The checks of this group, in the order in which they are shown.
pub const CHECKS: &[&Check] = &[&never_read::ENTRY, &stdout_blocked::ENTRY];
