//! Load on a server that does nothing but echo: what one operation costs the client's thread.
//!
//! An operation is one message sent and its reply received whole. The cost is the processor time of
//! the thread that does it, kernel included, for that is what is left where a core is busy.

pub mod echo;
pub mod limit;

use std::time::Duration;

use rustix::io::Errno;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// What was done in a measured period, and what it cost.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Replies received whole.
    pub operations: u64,
    /// The processor time of the client's threads.
    pub cpu: Duration,
}

impl Measured {
    /// Microseconds of processor time for one operation.
    pub fn us_per_operation(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.operations as f64
    }
}

/// The processor time that the calling thread has used.
pub fn thread_cpu() -> Duration {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (spent.tv_sec.unsigned_abs(), spent.tv_nsec.unsigned_abs());
    Duration::from_secs(seconds) + Duration::from_nanos(nanos)
}

/// Binds the calling thread, and what it starts from now on, to one processor. Where that processor
/// is not to be had, the thread stays where it may be.
pub fn pin(cpu: usize) -> Result<(), Errno> {
    if !sched_getaffinity(None)?.is_set(cpu) {
        return Ok(());
    }
    let mut only = CpuSet::new();
    only.set(cpu);
    sched_setaffinity(None, &only)
}
