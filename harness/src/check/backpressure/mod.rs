//! Clients that do not read.

pub(super) mod bulk;
mod never_read;
mod silent_reader;
mod slow_read;
mod stdout_blocked;

use super::Check;

const GROUP: &str = "backpressure";

pub(super) const CHECKS: &[&Check] = &[
    &never_read::ENTRY,
    &slow_read::ENTRY,
    &silent_reader::ENTRY,
    &stdout_blocked::ENTRY,
];
