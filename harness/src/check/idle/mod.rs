//! Connections on which nothing happens.

mod idle_timeout;
mod keepalive;
mod keepalive_race;
mod slow_write;

use std::time::Duration;

use super::{Check, Checked, Cx, skip};

const GROUP: &str = "idle clients";

pub(super) const CHECKS: &[&Check] = &[
    &idle_timeout::ENTRY,
    &keepalive_race::ENTRY,
    &slow_write::ENTRY,
    &keepalive::ENTRY,
];

/// Longest time-out that is waited for.
const LONGEST: Duration = Duration::from_secs(3);
/// The same with `--slow`.
const LONGEST_SLOW: Duration = Duration::from_secs(300);

/// The longest time that a check waits for, if it does so once.
pub(super) fn longest(cx: &Cx) -> Duration {
    if cx.is_slow() { LONGEST_SLOW } else { LONGEST }
}

/// Skips if waiting for the promised time-out takes too long.
fn in_reach(cx: &Cx, promised: Duration) -> Checked {
    if promised > LONGEST_SLOW {
        return skip(format!(
            "promise.idle_timeout is {promised:?}; at most {LONGEST_SLOW:?} are waited for"
        ));
    }
    if promised > LONGEST && !cx.is_slow() {
        return cx.skip_as_slow(format!(
            "promise.idle_timeout is {promised:?}, and this check takes several times as long: --slow waits for more than {LONGEST:?}"
        ));
    }
    Ok(())
}
