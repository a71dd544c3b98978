//! Traffic that goes on for a while.

mod drift;
mod traffic;

use super::Check;

const GROUP: &str = "soak";

pub(super) const CHECKS: &[&Check] = &[&drift::ENTRY];
