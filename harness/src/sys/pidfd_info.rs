//! How a process ended that is not a child of this one.
#![expect(unsafe_code, reason = "the PIDFD_GET_INFO ioctl has no safe wrapper")]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// `struct pidfd_info` of its first version (`linux/pidfd.h`).
#[repr(C)]
#[derive(Debug, Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    /// Pids and credentials, which are not of interest here.
    numbers: [u32; 11],
    exit_code: i32,
}

/// Asks for the exit status, and tells that it is there.
const EXIT: u64 = 1 << 3;
/// `_IOWR(0xff, 11, struct pidfd_info)`.
const GET_INFO: libc::c_ulong =
    3 << 30 | (size_of::<PidfdInfo>() as libc::c_ulong) << 16 | 0xff << 8 | 11;

/// The wait status of a process that has ended and was reaped by its parent, whoever that is. `None` as long as it runs or
/// is a zombie. No privilege is needed (since Linux 6.15).
///
/// # Errors
/// `ENOTTY` or `EINVAL` if the kernel does not tell.
pub(crate) fn wait_status_of(pidfd: impl AsFd) -> io::Result<Option<i32>> {
    let mut info = PidfdInfo {
        mask: EXIT,
        ..PidfdInfo::default()
    };
    let fd = pidfd.as_fd().as_raw_fd();
    // SAFETY: the descriptor is borrowed for the call; the kernel writes at most the size in the request's number, which is
    // the size of the struct that lives here.
    let result = unsafe { libc::ioctl(fd, GET_INFO as _, &raw mut info) };
    if result != 0 {
        let error = io::Error::last_os_error();
        // A process that has not been reaped yet has no exit status.
        return match error.raw_os_error() {
            Some(libc::ESRCH) => Ok(None),
            _ => Err(error),
        };
    }
    Ok((info.mask & EXIT != 0).then_some(info.exit_code))
}

#[cfg(test)]
mod tests {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    use super::*;

    #[test]
    fn an_exit_is_told_once_it_was_reaped() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "read line; exit 3"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(child.id() as i32).unwrap();
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        let running = wait_status_of(&pidfd);
        child.wait().unwrap();
        // Older kernels do not tell.
        if let Ok(running) = running {
            assert_eq!(running, None);
            assert_eq!(wait_status_of(&pidfd).unwrap(), Some(3 << 8));
        }
    }
}
