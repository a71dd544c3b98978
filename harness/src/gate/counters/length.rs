//! How many requests a run makes.

use std::time::{Duration, Instant};

/// Time after which a gauge makes no more requests.
const GAUGE_TIME: Duration = Duration::from_millis(250);

/// The number of requests in a run.
#[derive(Debug, Clone, Copy)]
pub(super) enum RunLength {
    Exactly(u64),
    /// Doubles from the minimum to the maximum while less than [`GAUGE_TIME`] has passed.
    Gauge([u64; 2]),
    /// This time, but at least and at most so many.
    For {
        time: Duration,
        requests: [u64; 2],
    },
}

impl RunLength {
    /// Requests to a script before its profiler begins, in which it is compiled.
    pub(super) const SCRIPT_WARM: Self = Self::For {
        time: Duration::from_millis(400),
        requests: [128, 4_000],
    };
    /// Those that are measured.
    pub(super) const SCRIPT_MEASURED: Self = Self::For {
        time: Duration::from_millis(1_500),
        requests: [256, 20_000],
    };

    /// Whether a run that began then has enough requests.
    pub(super) fn is_over(self, requests: u64, begun: Instant) -> bool {
        match self {
            Self::Exactly(all) => requests >= all,
            Self::Gauge([least, most]) => {
                let doubled =
                    requests.is_multiple_of(least) && (requests / least).is_power_of_two();
                requests >= most || doubled && begun.elapsed() > GAUGE_TIME
            }
            Self::For {
                time,
                requests: [least, most],
            } => requests >= most || requests >= least && begun.elapsed() > time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_ends_after_doubling_as_soon_as_it_takes_long() {
        let gauge = RunLength::Gauge([32, 256]);
        let now = Instant::now();
        let long_ago = now.checked_sub(2 * GAUGE_TIME).unwrap();
        assert!(!gauge.is_over(0, long_ago) && !gauge.is_over(31, long_ago));
        assert!(gauge.is_over(32, long_ago) && gauge.is_over(128, long_ago));
        assert!(!gauge.is_over(96, long_ago) && !gauge.is_over(128, now));
        assert!(gauge.is_over(256, now));
        assert!(RunLength::Exactly(7).is_over(7, now) && !RunLength::Exactly(7).is_over(6, now));
    }
}
