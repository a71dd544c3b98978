//! Preparation of a server process between fork and exec.
#![expect(unsafe_code, reason = "code between fork and exec is unsafe by nature")]

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{
    Pid, Resource, Rlimit, Signal, getpid, getppid, set_parent_process_death_signal, setrlimit,
};

use super::seccomp::CallFilter;

/// Settings of a new process.
#[derive(Debug, Default)]
pub(crate) struct ChildSetup {
    /// Descriptor limits (soft, hard); `None` leaves the inherited ones.
    pub(crate) nofile: Option<(u64, u64)>,
    /// The user to become; `None` keeps the current one.
    pub(crate) user: Option<UserIds>,
    /// What the process gets as descriptor 3. Closed in this process when `command` is dropped.
    pub(crate) third: Option<OwnedFd>,
    /// Set `LISTEN_PID` to the pid of the new process (sd_listen_fds(3)).
    pub(crate) listen_pid: bool,
    /// Installed before it changes its user: afterwards it might not be allowed to.
    pub(crate) filter: Option<CallFilter>,
}

/// The ids of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserIds {
    pub(crate) user: u32,
    pub(crate) group: u32,
    /// Supplementary groups.
    pub(crate) groups: Vec<u32>,
}

/// The number of [`ChildSetup::third`] in the new process.
const THIRD: RawFd = 3;

/// Makes `command` start its program in a clean state: all signals at their default and none
/// blocked, in its own process group, without core files, as `setup` says, and killed (SIGKILL) when
/// the calling *thread* ends.
///
/// Because of the last point, only the main thread of a supervisor may spawn.
///
/// # Errors
/// No descriptor is left.
pub(crate) fn prepare_child(command: &mut Command, setup: ChildSetup) -> io::Result<()> {
    command.process_group(0);
    let parent = getpid();
    let reserved = match &setup.third {
        // `Command` reports errors of exec through a pipe that takes the lowest free descriptors. If
        // 3 were free here, the pipe could have that number, and the child would overwrite it.
        Some(third) => Some(rustix::io::fcntl_dupfd_cloexec(third, THIRD)?),
        None => None,
    };
    // SAFETY: the closure runs in the forked child of a single-threaded process. It makes system
    // calls on values it owns, and takes no lock; `setenv` allocates, which is safe in the child of a
    // process without other threads.
    unsafe {
        command.pre_exec(move || {
            let _keeps_its_number_in_the_parent = &reserved;
            before_exec(&setup, parent)
        })
    };
    Ok(())
}

fn before_exec(setup: &ChildSetup, parent: Pid) -> io::Result<()> {
    default_signals();
    set_limits(setup.nofile)?;
    if let Some(filter) = &setup.filter {
        filter.install();
    }
    if let Some(user) = &setup.user {
        become_user(user)?;
    }
    if let Some(third) = &setup.third {
        place(third.as_raw_fd())?;
    }
    if setup.listen_pid {
        set_listen_pid()?;
    }
    // Last, since a change of the user clears it.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != Some(parent) {
        // The parent ended before the line above took effect.
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    Ok(())
}

/// Gives the process this descriptor as [`THIRD`].
fn place(descriptor: RawFd) -> io::Result<()> {
    // SAFETY: both calls take integers. The child owns all of its descriptors, and none of them is
    // used between here and exec except by `Command`, which does not use number 3 (see
    // `prepare_child`). FD_CLOEXEC has to be cleared where dup2 does nothing.
    let placed = unsafe {
        libc::dup2(descriptor, THIRD) == THIRD && libc::fcntl(THIRD, libc::F_SETFD, 0) == 0
    };
    if placed {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Changes the user and the groups, the user last.
fn become_user(user: &UserIds) -> io::Result<()> {
    // SAFETY: plain system calls; setgroups only reads the list that it is given.
    let changed = unsafe {
        libc::setgroups(user.groups.len(), user.groups.as_ptr()) == 0
            && libc::setgid(user.group) == 0
            && libc::setuid(user.user) == 0
    };
    if changed {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Puts the pid of this process into its environment.
fn set_listen_pid() -> io::Result<()> {
    const NAME: &CStr = c"LISTEN_PID";
    let mut digits = [0u8; 12];
    let mut rest = getpid().as_raw_pid().unsigned_abs();
    // From the end; the last byte stays 0.
    let mut at = digits.len() - 1;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    // SAFETY: both strings end with a 0 and live during the call. No other thread reads or changes the
    // environment, since this process has only one.
    let set = unsafe { libc::setenv(NAME.as_ptr(), digits[at..].as_ptr().cast(), 1) };
    if set == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn set_limits(nofile: Option<(u64, u64)>) -> io::Result<()> {
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )?;
    if let Some((soft, hard)) = nofile {
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
