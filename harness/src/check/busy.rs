//! Whether a server is in a busy loop, also on a machine whose CPUs are taken by others.

use std::time::{Duration, Instant};

use super::Cx;

/// CPU usage of a busy loop, in cores, above that of an idle server. A busy loop got 0.21 on a loaded machine.
pub(super) const SPIN: f64 = 0.15;
/// Part of the samples in which a busy loop wants a CPU, and its minimum CPU usage where others take the CPUs.
const WANTS_CPU: f64 = 0.9;
const SPIN_MIN: f64 = 0.03;
/// Time between two samples of that.
const SAMPLE: Duration = Duration::from_millis(20);
/// Maximum CPU usage of a server that rests, in cores, and the minimum duration of a rest that counts.
const RESTING: f64 = 0.05;
const REST_MIN: Duration = Duration::from_millis(200);
/// Minimum part of the time that a server rests which tries something again now and then: asyncio does so each second.
const RESTS: f64 = 0.25;

/// What a server did for a while.
pub(super) struct Busy {
    /// Its CPU usage.
    pub(super) cores: f64,
    /// Part of the samples in which one of its threads ran or waited for a CPU.
    wants_cpu: f64,
    /// Part of the time that it rested, in rests of at least [`REST_MIN`].
    rested: f64,
    /// Name and pid of the process that used the most CPU time.
    pub(super) busiest: Option<String>,
}

impl Busy {
    /// Observes the server for `window`. `None` if its processes cannot be examined.
    pub(super) async fn seen(cx: &Cx, window: Duration) -> Option<Self> {
        let (begun, before) = (Instant::now(), cx.server().usage()?);
        let (mut wanted, mut samples) = (0, 0);
        let mut rests = Rests::default();
        let (mut at, mut cpu) = (begun, before.cpu);
        while begun.elapsed() < window {
            tokio::time::sleep(SAMPLE).await;
            let is_computing = cx.server().is_computing();
            wanted += usize::from(is_computing);
            samples += 1;
            let (now, cpu_now) = (Instant::now(), cx.server().cpu()?);
            let took = now - at;
            let used = cpu_now.saturating_sub(cpu);
            rests.add(took, !is_computing && used < took.mul_f64(RESTING));
            (at, cpu) = (now, cpu_now);
        }
        let after = cx.server().usage()?;
        Some(Self {
            cores: after.cpu.saturating_sub(before.cpu).as_secs_f64()
                / begun.elapsed().as_secs_f64(),
            wants_cpu: f64::from(wanted as u32) / f64::from(samples.max(1)),
            rested: rests.counted().div_duration_f64(begun.elapsed()),
            busiest: after.busiest_since(&before),
        })
    }

    /// Whether that is a busy loop, of a server that uses `idle` cores when it has nothing to do.
    pub(super) fn is_spin(&self, idle: f64) -> bool {
        self.cores >= idle + SPIN || (self.is_endless() && self.is_awake(idle))
    }

    /// Whether one of its threads never sleeps.
    pub(super) fn is_endless(&self) -> bool {
        self.wants_cpu >= WANTS_CPU
    }

    /// Whether it rests again and again: what it does between its rests is no busy loop.
    pub(super) fn rests(&self) -> bool {
        self.rested >= RESTS
    }

    /// Whether it uses more than `idle` cores at all. A loop that prints in each round waits for its output most of the time.
    pub(super) fn is_awake(&self, idle: f64) -> bool {
        self.cores >= idle + SPIN_MIN
    }
}

/// Times in which a server did nothing.
#[derive(Default)]
struct Rests {
    /// The rest that goes on.
    current: Duration,
    /// All that were long enough and have ended.
    ended: Duration,
}

impl Rests {
    /// Adds a sample of this duration.
    fn add(&mut self, took: Duration, is_resting: bool) {
        if is_resting {
            self.current += took;
        } else {
            *self = Self {
                current: Duration::ZERO,
                ended: self.counted(),
            };
        }
    }

    /// The duration of all that are long enough.
    fn counted(&self) -> Duration {
        if self.current >= REST_MIN {
            self.ended + self.current
        } else {
            self.ended
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_rests_count() {
        let mut rests = Rests::default();
        let mut add = |samples: usize, is_resting| {
            (0..samples).for_each(|_| rests.add(SAMPLE, is_resting));
            rests.counted()
        };
        assert_eq!(add(9, true), Duration::ZERO);
        assert_eq!(add(1, true), REST_MIN);
        assert_eq!(add(1, false), REST_MIN);
        assert_eq!(add(9, true), REST_MIN);
        assert_eq!(add(2, true), REST_MIN + SAMPLE * 11);
    }

    #[test]
    fn a_spin_shows_on_a_loaded_machine_too() {
        let busy = |cores, wants_cpu| Busy {
            cores,
            wants_cpu,
            rested: 0.0,
            busiest: None,
        };
        assert!(busy(0.2, 0.5).is_spin(0.0) && busy(0.04, 1.0).is_spin(0.0));
        assert!(!busy(0.1, 0.5).is_spin(0.0) && !busy(0.2, 0.5).is_spin(0.1));
        assert!(busy(0.1, 0.5).is_awake(0.0) && !busy(0.01, 1.0).is_awake(0.0));
    }
}
