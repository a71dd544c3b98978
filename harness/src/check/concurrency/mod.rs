//! Many clients at the same time.

mod backlog_burst;
mod crosstalk;
mod hol_idle;
mod hol_partial;
pub(super) mod stopped;

use super::Check;

/// The group, as shown.
const GROUP: &str = "concurrency";

/// The checks of this group, in the order in which they are shown.
pub const CHECKS: &[&Check] = &[
    &hol_idle::ENTRY,
    &hol_partial::ENTRY,
    &crosstalk::ENTRY,
    &backlog_burst::ENTRY,
];
