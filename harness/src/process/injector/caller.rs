//! The process that makes a call: its descriptors, its memory, the signals that it handles.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

/// A process of which one thread waits for the result of a call.
pub(super) struct Caller {
    pid: Pid,
    handle: OwnedFd,
    /// The signals that it handles: bit 0 is signal 1.
    pub(super) handled: u64,
}

impl Caller {
    /// The process of this thread.
    ///
    /// # Errors
    /// It has ended.
    pub(super) fn of(thread: u32) -> io::Result<Caller> {
        let status = std::fs::read_to_string(format!("/proc/{thread}/status"))?;
        let pid = field(&status, "Tgid:").and_then(|pid| Pid::from_raw(pid.parse().ok()?));
        let pid = pid.ok_or(io::ErrorKind::NotFound)?;
        Ok(Caller {
            pid,
            handle: pidfd_open(pid, PidfdFlags::empty())?,
            handled: handled(&status),
        })
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// A duplicate of one of its descriptors.
    ///
    /// # Errors
    /// `EBADF`: it has none of this number. `EPERM`: this process must not examine that one.
    pub(super) fn descriptor(&self, number: i32) -> io::Result<OwnedFd> {
        Ok(pidfd_getfd(
            self.handle.as_fd(),
            number,
            PidfdGetfdFlags::empty(),
        )?)
    }

    /// Reads its memory.
    ///
    /// # Errors
    /// `EFAULT`: there is not as much. `EPERM`.
    pub(super) fn read(&self, address: u64, bytes: &mut [u8]) -> io::Result<()> {
        let wanted = bytes.len();
        let remote = [remote(address, wanted)?];
        let count = process_vm_readv(self.nix(), &mut [IoSliceMut::new(bytes)], &remote)?;
        whole(count, wanted)
    }

    /// Writes to its memory.
    ///
    /// # Errors
    /// `EFAULT`: it cannot be written there. `EPERM`.
    pub(super) fn write(&self, address: u64, bytes: &[u8]) -> io::Result<()> {
        let remote = [remote(address, bytes.len())?];
        let count = process_vm_writev(self.nix(), &[IoSlice::new(bytes)], &remote)?;
        whole(count, bytes.len())
    }

    /// Reads an array of `N` numbers of 8 bytes.
    ///
    /// # Errors
    /// Those of [`Caller::read`].
    pub(super) fn words<const N: usize>(&self, address: u64) -> io::Result<[u64; N]> {
        let mut bytes = vec![0; N * 8];
        self.read(address, &mut bytes)?;
        let mut words = [0; N];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = bytes
                .first_chunk()
                .map_or(0, |word| u64::from_ne_bytes(*word));
        }
        Ok(words)
    }

    fn nix(&self) -> unistd::Pid {
        unistd::Pid::from_raw(self.pid())
    }
}

fn remote(address: u64, len: usize) -> io::Result<RemoteIoVec> {
    let base = usize::try_from(address).map_err(|_| io::Error::from_raw_os_error(libc::EFAULT))?;
    Ok(RemoteIoVec { base, len })
}

fn whole(count: usize, wanted: usize) -> io::Result<()> {
    if count == wanted {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::EFAULT))
    }
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .map(str::trim)
}

fn handled(status: &str) -> u64 {
    let caught = field(status, "SigCgt:").and_then(|mask| u64::from_str_radix(mask, 16).ok());
    caught.unwrap_or(0)
}

/// The signals that interrupt nothing: faults of the program itself, and two that the C library uses for threads that it
/// cancels or whose user it changes.
pub(super) const FAULTS: u64 = bit(libc::SIGSEGV)
    | bit(libc::SIGBUS)
    | bit(libc::SIGFPE)
    | bit(libc::SIGILL)
    | bit(libc::SIGTRAP)
    | bit(libc::SIGABRT)
    | bit(32)
    | bit(33);

const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// The bit of a signal whose new action interrupts calls; `None` if it makes them go on (SA_RESTART), has no handler, or is
/// a fault of the program itself.
pub(super) fn interrupting(caller: &Caller, signal: u64, action: u64) -> Option<u64> {
    /// `SA_RESTART`.
    const RESTART: u64 = 0x1000_0000;
    let signal = signal & 0xffff_ffff;
    let bit = 1u64.checked_shl(u32::try_from(signal.checked_sub(1)?).ok()?)?;
    if action == 0 || bit & FAULTS != 0 {
        return None;
    }
    // The kernel's structure begins with the handler and the flags; 0 and 1 are no handlers.
    let [handler, flags] = caller.words(action).ok()?;
    (handler > 1 && flags & RESTART == 0).then_some(bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_memory_of_a_process() {
        // pidfd_getfd and process_vm_readv always allow a process itself.
        let own = Caller::of(std::process::id()).unwrap();
        assert_eq!(own.pid().unsigned_abs(), std::process::id());
        let mut words = [7u64, 8];
        let address = words.as_mut_ptr() as u64;
        assert_eq!(own.words::<2>(address).unwrap(), [7, 8]);
        own.write(address, &9u64.to_ne_bytes()).unwrap();
        assert_eq!(own.words::<1>(address).unwrap(), [9]);
        assert!(own.read(1, &mut [0; 4]).is_err());
        assert!(own.descriptor(0).is_ok() || own.descriptor(2).is_ok());
        assert!(own.descriptor(i32::MAX).is_err());
    }

    #[test]
    fn signals_that_a_program_handles() {
        assert_eq!(handled("Tgid:\t1\nSigCgt:\t0000000000004002\n"), 0x4002);
        let own = Caller::of(std::process::id()).unwrap();
        let of = |signal: i32, action: &[u64; 2]| {
            interrupting(&own, signal.unsigned_abs().into(), action.as_ptr() as u64)
        };
        assert_eq!(of(libc::SIGTERM, &[4096, 0]), Some(1 << 14));
        assert_eq!(of(libc::SIGTERM, &[4096, 0x1000_0000]), None);
        assert_eq!(of(libc::SIGTERM, &[1, 0]), None);
        assert_eq!(of(libc::SIGSEGV, &[4096, 0]), None);
        assert_eq!(interrupting(&own, 15, 0), None);
    }
}
