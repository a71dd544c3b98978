//! The CPU time of this process or thread.
//!
//! rustix reads the clock through the vDSO, which does not exist under valgrind.
#![expect(
    unsafe_code,
    reason = "no safe wrapper of clock_gettime works under valgrind"
)]

use std::mem::MaybeUninit;

/// A CPU clock.
#[derive(Clone, Copy)]
pub(crate) enum CpuClock {
    /// All threads of this process, including those that have ended.
    Process,
    /// The calling thread.
    Thread,
}

/// The CPU time used so far, in nanoseconds; 0 if the clock does not exist.
pub(crate) fn cpu_ns(clock: CpuClock) -> i64 {
    let clock = match clock {
        CpuClock::Process => libc::CLOCK_PROCESS_CPUTIME_ID,
        CpuClock::Thread => libc::CLOCK_THREAD_CPUTIME_ID,
    };
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the pointer points to a live local of the type that the function writes.
    if unsafe { libc::clock_gettime(clock, time.as_mut_ptr()) } != 0 {
        return 0;
    }
    // SAFETY: clock_gettime returned 0, so it has written the whole timespec.
    let time = unsafe { time.assume_init() };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
