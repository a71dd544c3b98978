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

/// What a server did for a while.
pub(super) struct Busy {
    /// Its CPU usage.
    pub(super) cores: f64,
    /// Part of the samples in which one of its threads ran or waited for a CPU.
    wants_cpu: f64,
    /// Name and pid of the process that used the most CPU time.
    pub(super) busiest: Option<String>,
}

impl Busy {
    /// Observes the server for `window`. `None` if its processes cannot be examined.
    pub(super) async fn seen(cx: &Cx, window: Duration) -> Option<Self> {
        let (begun, before) = (Instant::now(), cx.server().usage()?);
        let (mut wanted, mut samples) = (0, 0);
        while begun.elapsed() < window {
            tokio::time::sleep(SAMPLE).await;
            wanted += usize::from(cx.server().is_computing());
            samples += 1;
        }
        let after = cx.server().usage()?;
        Some(Self {
            cores: after.cpu.saturating_sub(before.cpu).as_secs_f64()
                / begun.elapsed().as_secs_f64(),
            wants_cpu: f64::from(wanted as u32) / f64::from(samples.max(1)),
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

    /// Whether it uses more than `idle` cores at all. A loop that prints in each round waits for its output most of the time.
    pub(super) fn is_awake(&self, idle: f64) -> bool {
        self.cores >= idle + SPIN_MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spin_shows_on_a_loaded_machine_too() {
        let busy = |cores, wants_cpu| Busy {
            cores,
            wants_cpu,
            busiest: None,
        };
        assert!(busy(0.2, 0.5).is_spin(0.0) && busy(0.04, 1.0).is_spin(0.0));
        assert!(!busy(0.1, 0.5).is_spin(0.0) && !busy(0.2, 0.5).is_spin(0.1));
        assert!(busy(0.1, 0.5).is_awake(0.0) && !busy(0.01, 1.0).is_awake(0.0));
    }
}
