//! CPU time that this process or thread has used. rustix reads the clock through the vDSO, which it looks for where
//! there is none under valgrind.
#![expect(
    unsafe_code,
    reason = "clock_gettime has no wrapper that valgrind stands"
)]

use std::mem::MaybeUninit;

/// Whose time.
#[derive(Clone, Copy)]
pub(crate) enum Of {
    /// All threads of this process, those that ended included.
    Process,
    /// This thread.
    Thread,
}

/// In nanoseconds since it began; 0 if there is no such clock.
pub(crate) fn cpu_ns(of: Of) -> i64 {
    let clock = match of {
        Of::Process => libc::CLOCK_PROCESS_CPUTIME_ID,
        Of::Thread => libc::CLOCK_THREAD_CPUTIME_ID,
    };
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the pointer is to a live local of the type that the function writes.
    if unsafe { libc::clock_gettime(clock, time.as_mut_ptr()) } != 0 {
        return 0;
    }
    // SAFETY: clock_gettime returned 0, so it has filled in the whole timespec.
    let time = unsafe { time.assume_init() };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
