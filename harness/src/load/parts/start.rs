//! The agreed start of a load, on the clocks of this machine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::load::engine::now;

/// Time before the start at which a part opens its connections, without connections.
const LEAD: Duration = Duration::from_secs(2);
/// What each connection of the part adds.
const LEAD_PER_CONNECTION: Duration = Duration::from_millis(1);

/// How long before the start the connections of a part are opened. Earlier, a server might close idle ones.
pub(crate) fn lead(connections: usize) -> Duration {
    LEAD + LEAD_PER_CONNECTION * u32::try_from(connections).unwrap_or(u32::MAX)
}

/// The time until a moment that is given since 1970; zero if it has passed.
pub(crate) fn time_until(moment: Duration) -> Duration {
    moment.saturating_sub(since_epoch())
}

/// The moment, given since 1970, in nanoseconds of the monotonic clock, which may be in the past.
pub(crate) fn begin_at(moment: Duration) -> u64 {
    let (monotonic, wall) = (now(), since_epoch());
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    match moment.checked_sub(wall) {
        Some(ahead) => monotonic.saturating_add(nanos(ahead)),
        None => monotonic.saturating_sub(nanos(wall - moment)),
    }
}

/// The wall clock.
fn since_epoch() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_as_far_on_either_clock() {
        let hour = Duration::from_secs(3600);
        let (before, wall) = (now(), since_epoch());
        let (ahead, behind) = (begin_at(wall + hour), begin_at(wall - hour));
        let passed = now() - before;
        let expected = before + hour.as_nanos() as u64;
        assert!(expected.abs_diff(ahead) <= passed + 1_000_000);
        // The machine may have been up for less than an hour.
        assert!(behind < before);
        assert!(time_until(wall) == Duration::ZERO && time_until(wall + hour) > hour / 2);
        assert_eq!(lead(500), Duration::from_millis(2500));
    }
}
