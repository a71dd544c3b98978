//! The CPU time that a load on an echo server costs the client.
//!
//! An operation sends one message and receives the whole reply. Its cost is the CPU time of the
//! client's thread, kernel time included, because CPU time limits the rate of a busy core.

pub mod echo;
pub mod limit;

use std::time::Duration;

use rustix::io::Errno;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// The result of one measurement.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Number of complete replies.
    pub operations: u64,
    /// CPU time of the client's threads.
    pub cpu: Duration,
}

impl Measured {
    /// CPU time per operation in microseconds.
    pub fn us_per_operation(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.operations as f64
    }
}

/// CPU time used by the calling thread.
pub fn thread_cpu() -> Duration {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (spent.tv_sec.unsigned_abs(), spent.tv_nsec.unsigned_abs());
    Duration::from_secs(seconds) + Duration::from_nanos(nanos)
}

/// Pins the calling thread, and threads and processes that it starts later, to one CPU. Does nothing
/// if the thread may not run on that CPU.
pub fn pin(cpu: usize) -> Result<(), Errno> {
    if !sched_getaffinity(None)?.is_set(cpu) {
        return Ok(());
    }
    let mut only = CpuSet::new();
    only.set(cpu);
    sched_setaffinity(None, &only)
}
