//! Many clients at the same time.

mod backlog_burst;
mod crosstalk;
mod hol_idle;
mod hol_partial;
pub(super) mod stopped;

use super::Check;

const GROUP: &str = "concurrency";

pub(super) const CHECKS: &[&Check] = &[
    &hol_idle::ENTRY,
    &hol_partial::ENTRY,
    &crosstalk::ENTRY,
    &backlog_burst::ENTRY,
];
