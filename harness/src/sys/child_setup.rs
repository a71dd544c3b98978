//! What must happen between fork and exec of a server.
#![expect(unsafe_code, reason = "code between fork and exec is unsafe by nature")]

use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{
    Pid, Resource, Rlimit, Signal, getpid, getppid, set_parent_process_death_signal, setrlimit,
};

/// The state a server is started in.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChildSetup {
    /// Descriptor limit (soft, hard); `None` leaves it as inherited.
    pub nofile: Option<(u64, u64)>,
}

/// Makes `command` start its program in a clean state: every signal at its default and none blocked,
/// a process group of its own, no core files, the limits asked for, and SIGKILL when the calling
/// *thread* ends.
///
/// That last point is why only the main thread of the supervisor may spawn with it.
pub fn prepare_child(command: &mut Command, setup: ChildSetup) {
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
        // The parent ended before the line above could take effect.
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

/// rustix says `None` for "no limit".
fn limit(value: u64) -> Option<u64> {
    (value != u64::MAX).then_some(value)
}

/// Ignored signals and the mask survive exec, so both are reset: a CI runner that ignores SIGHUP or
/// SIGPIPE must not change how the server behaves. By system call, since the C library refuses to touch
/// the two signals it uses itself, which a runner may have left ignored as well.
fn default_signals() {
    /// Longer than the kernel's `struct sigaction`; all zero is SIG_DFL without flags.
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
