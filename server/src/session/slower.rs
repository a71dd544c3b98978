//! A server that needs more CPU time than it has to, by a known share: however fast the machine is just then, and
//! whatever else runs on it.

use std::hint;
use std::sync::{Mutex, PoisonError};

use crate::sys::cpu::{Of, cpu_ns};

/// Reads from one look at the clock, which is a system call, to the next.
const READS: u32 = 32;
/// Steps of work between two looks at it: well below a microsecond.
const STEPS: u32 = 200;

/// The clock is that of all threads, and so is this.
static USED: Mutex<Used> = Mutex::new(Used {
    reads: 0,
    seen_ns: None,
    owed_ns: 0.0,
});

struct Used {
    reads: u32,
    /// The clock when it was looked at last.
    seen_ns: Option<i64>,
    /// What is still to be used for nothing.
    owed_ns: f64,
}

/// Tells of a read. Once in a while so many percent of what the process has used since are used once more.
pub(super) fn after_read(percent: u32) {
    // Where another thread pays, this one waits.
    let mut used = USED.lock().unwrap_or_else(PoisonError::into_inner);
    used.reads += 1;
    if used.reads >= READS {
        used.reads = 0;
        used.pay(percent);
    }
}

impl Used {
    fn pay(&mut self, percent: u32) {
        // The looks at the clocks are paid with.
        let begun = cpu_ns(Of::Thread);
        let all = cpu_ns(Of::Process);
        let used = all - self.seen_ns.unwrap_or(all);
        self.owed_ns += used as f64 * f64::from(percent) / 100.0;
        let mut paid = cpu_ns(Of::Thread) - begun;
        while (paid as f64) < self.owed_ns {
            work();
            paid = cpu_ns(Of::Thread) - begun;
        }
        // What was too much is owed less the next time.
        self.owed_ns -= paid as f64;
        self.seen_ns = Some(all + paid);
    }
}

/// Steps that each need the one before (the constants are Knuth's), so that they take time and nothing else.
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

    /// Other tests of this process use its clock as well: they are paid for too.
    #[test]
    fn the_share_is_paid_to_the_nanosecond_in_the_long_run() {
        let mut used = Used {
            reads: 0,
            seen_ns: None,
            owed_ns: 0.0,
        };
        let thread_ns = || cpu_ns(Of::Thread);
        let (begun, mut own) = (thread_ns(), 0);
        for _ in 0..200 {
            let before = thread_ns();
            (0..50).for_each(|_| work());
            own += thread_ns() - before;
            used.pay(50);
        }
        let all = thread_ns() - begun;
        assert!(all as f64 >= own as f64 * 1.45, "{own} became {all}");
        assert!(used.owed_ns <= 0.0, "{}", used.owed_ns);
    }
}
