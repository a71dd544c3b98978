//! A clock for measurements that need the server to get some work done, on a machine whose CPUs are taken by others.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Cx;
use crate::process::cpu_waits;

/// The clock runs at least at this part of the speed of a wall clock.
const SPEED_MIN: f64 = 0.5;
/// The same of a clock that stands still only while the server waits. It measures and ends nothing, so it may run slower: on a
/// machine with ten programs for each CPU a server has a tenth of one.
const SPEED_MIN_OF_SERVER: f64 = 0.1;

/// Stands still while the server or tcprove waits for a CPU.
pub(super) struct FairClock {
    begun: Instant,
    server: BTreeMap<u32, Duration>,
    /// `None` if the clock goes on while tcprove waits.
    own: Option<BTreeMap<u32, Duration>>,
}

impl FairClock {
    pub(super) fn start(cx: &Cx) -> Self {
        Self {
            own: Some(cpu_waits(&[std::process::id()])),
            ..Self::of_server(cx)
        }
    }

    /// Stands still only while the server waits for a CPU: for a check whose own threads compete for one all the time.
    pub(super) fn of_server(cx: &Cx) -> Self {
        let server = cpu_waits(&cx.server().pids());
        Self {
            begun: Instant::now(),
            server,
            own: None,
        }
    }

    /// The time since the start by a wall clock.
    pub(super) fn wall(&self) -> Duration {
        self.begun.elapsed()
    }

    pub(super) fn elapsed(&self, cx: &Cx) -> Duration {
        let wall = self.wall();
        let server = longest(&self.server, &cpu_waits(&cx.server().pids()));
        match &self.own {
            Some(before) => {
                let own = longest(before, &cpu_waits(&[std::process::id()]));
                fair(wall, server + own, SPEED_MIN)
            }
            None => fair(wall, server, SPEED_MIN_OF_SERVER),
        }
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

fn fair(wall: Duration, waits: Duration, speed_min: f64) -> Duration {
    wall.saturating_sub(waits).max(wall.mul_f64(speed_min))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_a_cpu_do_not_count_but_never_stop_the_clock() {
        let s = Duration::from_secs;
        assert_eq!(fair(s(9), s(0), SPEED_MIN), s(9));
        assert_eq!(fair(s(9), s(4), SPEED_MIN), s(5));
        assert_eq!(fair(s(8), s(20), SPEED_MIN), s(4));
        assert_eq!(fair(s(8), s(7), SPEED_MIN_OF_SERVER), s(1));
        assert_eq!(fair(s(10), s(20), SPEED_MIN_OF_SERVER), s(1));
    }

    #[test]
    fn the_thread_that_waited_longest_counts_and_a_new_one_whole() {
        let ms = Duration::from_millis;
        let before = BTreeMap::from([(1, ms(100)), (2, ms(900))]);
        let now = BTreeMap::from([(1, ms(150)), (3, ms(70))]);
        assert_eq!(longest(&before, &now), ms(70));
    }
}
