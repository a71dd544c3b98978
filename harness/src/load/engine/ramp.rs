//! How the number of connections grows over the measured period. Pure.

use super::context::share;

/// How the connections of all threads grow, and which thread of how many this is.
pub(super) struct Ramp {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) thread: usize,
    pub(super) threads: usize,
}

impl Ramp {
    /// This thread's connections at `passed` (0 to 1) of the ramp. All threads together have what a single one would have.
    pub(super) fn at(&self, passed: f64) -> usize {
        let all = self.from + ((self.to - self.from) as f64 * passed.min(1.0)) as usize;
        share(all, self.thread, self.threads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_of_several_threads_is_that_of_one() {
        let ramp = |thread, threads| Ramp {
            from: 7,
            to: 101,
            thread,
            threads,
        };
        for step in 0..=50 {
            let passed = f64::from(step) / 50.0;
            let whole = ramp(0, 1).at(passed);
            for threads in [2, 3, 8] {
                let shared: usize = (0..threads)
                    .map(|thread| ramp(thread, threads).at(passed))
                    .sum();
                assert_eq!(shared, whole, "{threads} threads at {passed}");
            }
        }
    }
}
