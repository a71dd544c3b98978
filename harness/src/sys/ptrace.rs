//! Control of another process's threads with ptrace(2), by the thread that has seized them.
#![expect(
    unsafe_code,
    reason = "ptrace has no safe wrapper that passes on every signal"
)]

use std::io;
use std::mem::MaybeUninit;
use std::ptr::null_mut;

/// Whether breakpoints are possible on this machine's kind of processor.
pub(crate) const BREAKPOINTS: bool = cfg!(target_arch = "x86_64");

/// A traced thread. The calls work only on the thread of this process that has seized it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Tracee(pub(crate) u32);

/// Why a traced thread has stopped, or that it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TraceStop {
    /// It was sent this signal, which it has not received yet.
    Signal(i32),
    /// A signal such as SIGSTOP has stopped its whole process.
    Group,
    /// It begins to be traced, or goes on after a group stop.
    Attached,
    /// It has created a process. The new one is traced too, and begins with [`TraceStop::Attached`].
    Forked,
    /// As `Forked`, for a thread.
    Cloned,
    /// It has executed another program.
    Executed,
    /// Any other event.
    Other,
}

impl TraceStop {
    /// Reads the status that wait(2) has returned. `None` unless the thread has stopped.
    pub(crate) fn of(status: i32) -> Option<Self> {
        if !libc::WIFSTOPPED(status) {
            return None;
        }
        let signal = libc::WSTOPSIG(status);
        Some(match status >> 16 {
            0 => Self::Signal(signal),
            libc::PTRACE_EVENT_STOP if signal == libc::SIGTRAP => Self::Attached,
            libc::PTRACE_EVENT_STOP => Self::Group,
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK => Self::Forked,
            libc::PTRACE_EVENT_CLONE => Self::Cloned,
            libc::PTRACE_EVENT_EXEC => Self::Executed,
            _ => Self::Other,
        })
    }
}

impl Tracee {
    /// Begins to trace this thread without stopping it, and with it all threads and processes that it creates. They are
    /// killed when the tracing thread ends.
    ///
    /// # Errors
    /// `EPERM` if the system does not allow it, `ESRCH` if it has ended.
    pub(crate) fn seize(self) -> io::Result<()> {
        let options = libc::PTRACE_O_EXITKILL
            | libc::PTRACE_O_TRACECLONE
            | libc::PTRACE_O_TRACEFORK
            | libc::PTRACE_O_TRACEVFORK
            | libc::PTRACE_O_TRACEEXEC;
        self.request(libc::PTRACE_SEIZE, options as usize)
    }

    /// Lets it go on, and delivers this signal unless it is 0.
    ///
    /// # Errors
    /// `ESRCH` if it was killed meanwhile.
    pub(crate) fn go_on(self, signal: i32) -> io::Result<()> {
        self.request(libc::PTRACE_CONT, signal as usize)
    }

    /// Leaves it stopped until SIGCONT, as without a tracer.
    ///
    /// # Errors
    /// As [`Tracee::go_on`].
    pub(crate) fn stay_stopped(self) -> io::Result<()> {
        self.request(libc::PTRACE_LISTEN, 0)
    }

    /// The id of the thread or process that a [`TraceStop::Forked`] or [`TraceStop::Cloned`] has created.
    ///
    /// # Errors
    /// As [`Tracee::go_on`].
    pub(crate) fn created(self) -> io::Result<Tracee> {
        let mut id: libc::c_ulong = 0;
        // SAFETY: PTRACE_GETEVENTMSG writes one long to the address in the last argument.
        let result = unsafe {
            libc::ptrace(
                libc::PTRACE_GETEVENTMSG,
                self.0,
                null_mut::<u8>(),
                &raw mut id,
            )
        };
        checked(result)?;
        Ok(Tracee(u32::try_from(id).unwrap_or(0)))
    }

    /// Whether the SIGTRAP with which it has stopped comes from a breakpoint, not from kill(2).
    pub(crate) fn is_at_breakpoint(self) -> bool {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: PTRACE_GETSIGINFO writes one siginfo to the address in the last argument; all zeros are valid too.
        let (result, info) = unsafe {
            let result = libc::ptrace(
                libc::PTRACE_GETSIGINFO,
                self.0,
                null_mut::<u8>(),
                info.as_mut_ptr(),
            );
            (result, info.assume_init())
        };
        /// The kernel sent it: on x86, because of `int3`.
        const SI_KERNEL: i32 = 0x80;
        result == 0 && info.si_code == SI_KERNEL
    }

    /// Moves it back to the breakpoint that it has just passed, and returns that address.
    ///
    /// # Errors
    /// As [`Tracee::go_on`]; `Unsupported` on other processors than x86-64.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn step_back(self, is_ours: impl FnOnce(u64) -> bool) -> io::Result<bool> {
        let at = std::mem::offset_of!(libc::user_regs_struct, rip);
        // SAFETY: the C library returns the word at this offset of the thread's registers, and takes no address of
        // this process.
        let after = unsafe {
            *libc::__errno_location() = 0;
            libc::ptrace(libc::PTRACE_PEEKUSER, self.0, at, null_mut::<u8>())
        };
        if after == -1 {
            checked(-1)?;
        }
        let breakpoint = (after as u64).wrapping_sub(1);
        if !is_ours(breakpoint) {
            return Ok(false);
        }
        // SAFETY: this writes a register of the traced thread, and takes no address of this process.
        checked(unsafe { libc::ptrace(libc::PTRACE_POKEUSER, self.0, at, breakpoint as usize) })?;
        Ok(true)
    }

    /// Not possible on this processor.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(target_arch = "x86_64"))]
    pub(crate) fn step_back(self, _: impl FnOnce(u64) -> bool) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn request(self, request: libc::c_uint, data: usize) -> io::Result<()> {
        // SAFETY: these requests take numbers; the address is not used.
        checked(unsafe { libc::ptrace(request, self.0, null_mut::<u8>(), data) })
    }
}

fn checked(result: libc::c_long) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
