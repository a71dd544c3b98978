//! Seeds.

use std::time::{SystemTime, UNIX_EPOCH};

/// A seed from the clock: another one in each run, and short enough to be typed.
pub(crate) fn clock_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_nanos() as u64 & 0xffff_ffff
}
