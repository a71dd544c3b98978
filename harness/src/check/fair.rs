//! A clock for measurements that need the server to get some work done, on a machine whose CPUs are taken by others.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Cx;
use crate::process::cpu_waits;

/// The clock runs at least at this part of the speed of a wall clock.
const SPEED_MIN: f64 = 0.5;

/// Stands still while the server or tcprove waits for a CPU.
pub(super) struct FairClock {
    begun: Instant,
    server: BTreeMap<u32, Duration>,
    own: BTreeMap<u32, Duration>,
}

impl FairClock {
    pub(super) fn start(cx: &Cx) -> Self {
        Self {
            begun: Instant::now(),
            server: cpu_waits(&cx.server().pids()),
            own: cpu_waits(&[std::process::id()]),
        }
    }

    pub(super) fn elapsed(&self, cx: &Cx) -> Duration {
        let waits = longest(&self.server, &cpu_waits(&cx.server().pids()))
            + longest(&self.own, &cpu_waits(&[std::process::id()]));
        fair(self.begun.elapsed(), waits)
    }
}

/// How long the thread that waited longest for a CPU did so between two readings.
fn longest(before: &BTreeMap<u32, Duration>, now: &BTreeMap<u32, Duration>) -> Duration {
    let waits = now.iter().map(|(thread, waited)| {
        let earlier = before.get(thread).copied().unwrap_or_default();
        waited.saturating_sub(earlier)
    });
    waits.max().unwrap_or_default()
}

fn fair(wall: Duration, waits: Duration) -> Duration {
    wall.saturating_sub(waits).max(wall.mul_f64(SPEED_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_a_cpu_do_not_count_but_never_stop_the_clock() {
        let s = Duration::from_secs;
        assert_eq!(fair(s(9), s(0)), s(9));
        assert_eq!(fair(s(9), s(4)), s(5));
        assert_eq!(fair(s(8), s(20)), s(4));
    }

    #[test]
    fn the_thread_that_waited_longest_counts_and_a_new_one_whole() {
        let ms = Duration::from_millis;
        let before = BTreeMap::from([(1, ms(100)), (2, ms(900))]);
        let now = BTreeMap::from([(1, ms(150)), (3, ms(70))]);
        assert_eq!(longest(&before, &now), ms(70));
    }
}
