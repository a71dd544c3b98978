//! The PROXY protocol: headers that are split, missing or late.

mod late;
mod missing;
mod split;

use super::Check;

const GROUP: &str = "proxy protocol";

pub(super) const CHECKS: &[&Check] = &[&split::ENTRY, &missing::ENTRY, &late::ENTRY];
