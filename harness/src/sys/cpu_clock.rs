//! The CPU clock of another process.
#![expect(
    unsafe_code,
    reason = "clock_gettime of a process clock id has no safe wrapper"
)]

use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

/// CPU time used by process `pid`: by all its threads, including ended ones, but not by its
/// children.
///
/// Read from the scheduler's clock (`clock_getcpuclockid`) with nanosecond resolution; utime and
/// stime in `/proc/PID/stat` count ticks of 10 ms.
///
/// # Errors
/// `EINVAL` or `ESRCH` if there is no such process (any more).
pub(crate) fn process_cpu(pid: u32) -> io::Result<Duration> {
    let pid = libc::pid_t::try_from(pid).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
    let mut clock: libc::clockid_t = 0;
    // SAFETY: the only pointer is to a live local of the type the function writes.
    let failed = unsafe { libc::clock_getcpuclockid(pid, &raw mut clock) };
    if failed != 0 {
        return Err(io::Error::from_raw_os_error(failed));
    }
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the pointer is to a live local of the right type and size.
    if unsafe { libc::clock_gettime(clock, time.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: clock_gettime returned 0, so it has filled in the whole timespec.
    let time = unsafe { time.assume_init() };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Ok(Duration::new(seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_clock_advances_with_work() {
        let pid = std::process::id();
        let before = process_cpu(pid).unwrap();
        while process_cpu(pid).unwrap() <= before + Duration::from_millis(1) {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn no_such_process_is_an_error() {
        assert!(process_cpu(u32::MAX).is_err());
        assert!(process_cpu(0x7fff_fff0).is_err());
    }
}
