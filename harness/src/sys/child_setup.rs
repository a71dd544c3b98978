//! Preparation of a server process between fork and exec.
#![expect(unsafe_code, reason = "code between fork and exec is unsafe by nature")]

use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{
    Pid, Resource, Rlimit, Signal, getpid, getppid, set_parent_process_death_signal, setrlimit,
};

/// Settings of a new server process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ChildSetup {
    /// Descriptor limits (soft, hard); `None` leaves the inherited ones.
    pub nofile: Option<(u64, u64)>,
}

/// Makes `command` start its program in a clean state: all signals at their default and none
/// blocked, in its own process group, without core files, with the given limits, and killed
/// (SIGKILL) when the calling *thread* ends.
///
/// Because of the last point, only the main thread of the supervisor may spawn servers.
pub(crate) fn prepare_child(command: &mut Command, setup: ChildSetup) {
    command.process_group(0);
    let parent = getpid();
    // SAFETY: the closure runs in the forked child, where only async-signal-safe calls are allowed:
    // it makes plain system calls on values it owns, allocates nothing and takes no lock.
    unsafe { command.pre_exec(move || before_exec(setup, parent)) };
}

fn before_exec(setup: ChildSetup, parent: Pid) -> io::Result<()> {
    default_signals();
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != Some(parent) {
        // The parent ended before the line above took effect.
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )?;
    if let Some((soft, hard)) = setup.nofile {
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: limit(soft),
                maximum: limit(hard),
            },
        )?;
    }
    Ok(())
}

/// rustix represents "no limit" as `None`.
fn limit(value: u64) -> Option<u64> {
    (value != u64::MAX).then_some(value)
}

/// Resets ignored signals and the signal mask, which survive exec: a CI runner that ignores SIGHUP
/// or SIGPIPE must not change the server's behaviour. Uses the system call because the C library
/// refuses to change the two signals that it uses itself, which a runner may have left ignored as
/// well.
fn default_signals() {
    /// Longer than the kernel's `struct sigaction`. All zeros means SIG_DFL without flags.
    const DEFAULT: [usize; 8] = [0; 8];
    const MASK_BYTES: usize = 8;
    for number in 1..=64 {
        // SAFETY: the kernel only reads the constant; SIG_DFL runs no code of ours; KILL and STOP are refused.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                number,
                DEFAULT.as_ptr(),
                std::ptr::null_mut::<u8>(),
                MASK_BYTES,
            )
        };
    }
    let mut none = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset fills in the set before it is read; both are async-signal-safe.
    unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
    }
}
