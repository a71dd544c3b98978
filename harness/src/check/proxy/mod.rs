//! The PROXY protocol: headers that are split, missing, malformed or late.

mod late;
mod malformed;
mod missing;
mod split;

use super::Check;

const GROUP: &str = "proxy protocol";

pub(super) const CHECKS: &[&Check] = &[
    &split::ENTRY,
    &missing::ENTRY,
    &malformed::ENTRY,
    &late::ENTRY,
];
