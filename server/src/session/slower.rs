//! Wastes a known share of CPU time, independently of the speed and load of the machine.

use std::hint;
use std::sync::{Mutex, PoisonError};

use crate::sys::cpu::{CpuClock, cpu_ns};

/// Number of reads per burst of wasted time. Reading the CPU clocks takes system calls.
const READS: u32 = 32;
/// Steps of [`work`] between two readings of the clock: well below 1 us.
const STEPS: u32 = 200;

/// One debt for all threads, because it is computed from the CPU time of the process.
static DEBT: Mutex<CpuDebt> = Mutex::new(CpuDebt {
    reads: 0,
    seen_ns: None,
    owed_ns: 0.0,
});

struct CpuDebt {
    /// Reads since the last burst.
    reads: u32,
    /// The CPU time of the process after the last burst.
    seen_ns: Option<i64>,
    /// CPU time still to waste; negative after wasting too much.
    owed_ns: f64,
}

/// Counts a read. Every [`READS`] reads, wastes `percent` of the CPU time that the process has used
/// since the last burst.
pub(super) fn after_read(percent: u32) {
    // While one thread pays, the others wait here.
    let mut debt = DEBT.lock().unwrap_or_else(PoisonError::into_inner);
    debt.reads += 1;
    if debt.reads >= READS {
        debt.reads = 0;
        debt.pay(percent);
    }
}

impl CpuDebt {
    fn pay(&mut self, percent: u32) {
        // The time for reading the clocks counts as paid.
        let begun = cpu_ns(CpuClock::Thread);
        let all = cpu_ns(CpuClock::Process);
        let used = all - self.seen_ns.unwrap_or(all);
        self.owed_ns += used as f64 * f64::from(percent) / 100.0;
        let mut paid = cpu_ns(CpuClock::Thread) - begun;
        while (paid as f64) < self.owed_ns {
            work();
            paid = cpu_ns(CpuClock::Thread) - begun;
        }
        // Overpaid time reduces the next debt.
        self.owed_ns -= paid as f64;
        self.seen_ns = Some(all + paid);
    }
}

/// A linear congruential generator (with Knuth's constants): each step depends on the one before, so
/// the work takes CPU time without touching memory.
fn work() {
    let mut state = 1_u64;
    for _ in 0..STEPS {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        hint::black_box(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tests in other threads of this process add to its CPU time, hence only a lower bound.
    #[test]
    fn the_share_is_paid_in_the_long_run() {
        let mut debt = CpuDebt {
            reads: 0,
            seen_ns: None,
            owed_ns: 0.0,
        };
        let thread_ns = || cpu_ns(CpuClock::Thread);
        let (begun, mut own) = (thread_ns(), 0);
        for _ in 0..200 {
            let before = thread_ns();
            (0..50).for_each(|_| work());
            own += thread_ns() - before;
            debt.pay(50);
        }
        let all = thread_ns() - begun;
        assert!(all as f64 >= own as f64 * 1.45, "{own} became {all}");
        assert!(debt.owed_ns <= 0.0, "{}", debt.owed_ns);
    }
}
