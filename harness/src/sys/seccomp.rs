//! A seccomp filter that asks another process what certain system calls return (seccomp_unotify(2)).
//!
//! The process that installs the filter sends its listener to the one that answers, and every descendant inherits the
//! filter. Calls that the filter does not name cost a few comparisons.
#![expect(
    unsafe_code,
    reason = "seccomp filters and their listeners have no safe wrapper"
)]

use std::io;
use std::mem::{MaybeUninit, offset_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// The architecture that the kernel reports for system calls of this program; `None`: there is no support for it.
const ARCHITECTURE: Option<u32> = if cfg!(target_arch = "x86_64") {
    Some(0xC000_003E)
} else if cfg!(target_arch = "aarch64") {
    Some(0xC000_00B7)
} else {
    None
};

/// `SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV` of Linux 5.19: only a fatal signal ends a call that has been received.
const WAIT_KILLABLE: libc::c_ulong = 1 << 5;
/// `SECCOMP_IOCTL_NOTIF_SET_FLAGS` of Linux 6.6 and its only flag: the two processes take turns on one CPU.
const SET_FLAGS: libc::c_ulong = request(1, 4, size_of::<u64>());
const SYNC_WAKE_UP: u64 = 1;
/// `SECCOMP_IOCTL_NOTIF_RECV`, `_SEND` and `_ID_VALID`.
const RECEIVE: libc::c_ulong = request(3, 0, size_of::<libc::seccomp_notif>());
const SEND: libc::c_ulong = request(3, 1, size_of::<libc::seccomp_notif_resp>());
const ID_VALID: libc::c_ulong = request(1, 2, size_of::<u64>());
/// `SECCOMP_USER_NOTIF_FLAG_CONTINUE`.
const CONTINUE: u32 = 1;

/// Flags of sendmmsg(2) by which the filter knows the call that sends its own listener, and lets it pass: nobody could
/// answer it yet. A Unix socket ignores all of them but `MSG_NOSIGNAL`, and no program combines them.
const OWN_FLAGS: u32 =
    (libc::MSG_NOSIGNAL | libc::MSG_CONFIRM | libc::MSG_DONTROUTE | libc::MSG_MORE).unsigned_abs();

/// Bit in the first byte of what the child sends: whether [`WAIT_KILLABLE`] is in force.
const KILLABLE: u8 = 1;

/// The number of an ioctl request of type `!`, as the macros of ioctl.h make it.
const fn request(direction: libc::c_ulong, number: libc::c_ulong, size: usize) -> libc::c_ulong {
    (direction << 30) | ((size as libc::c_ulong) << 16) | ((b'!' as libc::c_ulong) << 8) | number
}

/// A filter that is ready to be installed, and where its listener goes.
#[derive(Debug)]
pub(crate) struct CallFilter {
    program: Vec<libc::sock_filter>,
    link: OwnedFd,
}

impl CallFilter {
    /// A filter of these system calls, at most 200. Its listener is sent on `link`, a Unix socket.
    pub(crate) fn new(numbers: &[u32], link: OwnedFd) -> Self {
        Self {
            program: program(numbers),
            link,
        }
    }

    /// Installs the filter in this process and sends its listener, or the reason why there is none. Without a listener the
    /// process goes on without a filter. Neither allocates nor takes a lock.
    ///
    /// A privileged process installs it as it is; another one has to give up the privileges of the programs it starts.
    pub(super) fn install(&self) {
        let installed = match listen(&self.program) {
            Err(libc::EACCES) => {
                // SAFETY: prctl takes integers here.
                unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
                listen(&self.program)
            }
            other => other,
        };
        send(self.link.as_raw_fd(), installed);
    }
}

/// Compares the architecture and then the number of a call with each of the list, but for the one that sends the listener.
fn program(numbers: &[u32]) -> Vec<libc::sock_filter> {
    let statement = |code: u32, k: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    };
    let load = |offset: usize| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset as u32);
    let equal = |k: u32, jt: u8, jf: u8| libc::sock_filter {
        jt,
        jf,
        ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, k)
    };
    let give = |k: u32| statement(libc::BPF_RET | libc::BPF_K, k);
    let count = numbers.len() as u8;
    let flags = offset_of!(libc::seccomp_data, args) + 3 * size_of::<u64>();
    let low = if cfg!(target_endian = "big") { 4 } else { 0 };
    let mut program = vec![
        load(offset_of!(libc::seccomp_data, arch)),
        equal(ARCHITECTURE.unwrap_or(0), 0, count + 5),
        load(offset_of!(libc::seccomp_data, nr)),
        equal(libc::SYS_sendmmsg as u32, 0, 3),
        load(flags + low),
        equal(OWN_FLAGS, count + 1, 0),
        load(offset_of!(libc::seccomp_data, nr)),
    ];
    let tests = (0..count).zip(numbers);
    program.extend(tests.map(|(at, number)| equal(*number, count - at, 0)));
    program.push(give(libc::SECCOMP_RET_ALLOW));
    program.push(give(libc::SECCOMP_RET_USER_NOTIF));
    program
}

/// Installs the filter. Returns its listener and whether [`WAIT_KILLABLE`] is in force, or an error number.
fn listen(program: &[libc::sock_filter]) -> Result<(RawFd, bool), i32> {
    if ARCHITECTURE.is_none() {
        return Err(libc::ENOSYS);
    }
    let install = |flags: libc::c_ulong| {
        let program = libc::sock_fprog {
            len: program.len() as u16,
            filter: program.as_ptr().cast_mut(),
        };
        // SAFETY: the kernel copies the program, which lives during the call.
        let listener = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                &raw const program,
            )
        };
        if listener < 0 {
            Err(io::Error::last_os_error().raw_os_error().unwrap_or(0))
        } else {
            Ok(listener as RawFd)
        }
    };
    match install(libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | WAIT_KILLABLE) {
        Err(libc::EINVAL) => {
            install(libc::SECCOMP_FILTER_FLAG_NEW_LISTENER).map(|listener| (listener, false))
        }
        other => other.map(|listener| (listener, true)),
    }
}

/// Sends the listener, or the error, to the process that answers, by a call that the filter knows: see [`OWN_FLAGS`].
fn send(link: RawFd, installed: Result<(RawFd, bool), i32>) {
    let mut bytes = [0u8; 5];
    bytes[0] = match installed {
        Ok((_, true)) => KILLABLE,
        _ => 0,
    };
    let error = installed.err().unwrap_or(0);
    bytes[1..].copy_from_slice(&error.to_ne_bytes());
    let mut part = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    let mut space = [0u64; 4];
    // SAFETY: all zeros is a message without anything. Every pointer in it is to a local that lives during the call, and
    // `space` has room for one control message with one descriptor.
    unsafe {
        let mut message: libc::mmsghdr = MaybeUninit::zeroed().assume_init();
        message.msg_hdr.msg_iov = &raw mut part;
        message.msg_hdr.msg_iovlen = 1;
        if let Ok((listener, _)) = installed {
            message.msg_hdr.msg_control = space.as_mut_ptr().cast();
            message.msg_hdr.msg_controllen = libc::CMSG_SPACE(size_of::<RawFd>() as u32) as _;
            let header = libc::CMSG_FIRSTHDR(&raw const message.msg_hdr);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
            libc::CMSG_DATA(header)
                .cast::<RawFd>()
                .write_unaligned(listener);
        }
        libc::sendmmsg(link, &raw mut message, 1, OWN_FLAGS as _);
    }
}

/// The listener of a filter.
#[derive(Debug)]
pub(crate) struct CallListener {
    fd: OwnedFd,
    is_killable: bool,
}

/// A system call that waits for its result.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PendingCall {
    pub(crate) id: u64,
    /// The thread that makes the call.
    pub(crate) thread: u32,
    pub(crate) number: u32,
    pub(crate) arguments: [u64; 6],
}

/// What a call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallResult {
    /// The kernel performs it.
    Continue,
    /// This error number.
    Error(i32),
    /// This value.
    Value(i64),
}

impl CallListener {
    /// The listener in what [`CallFilter::install`] has sent.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn received(bytes: &[u8], fd: Option<OwnedFd>) -> io::Result<Self> {
        let Some((&flags, error)) = bytes.split_first() else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let error = error
            .first_chunk()
            .map_or(0, |error| i32::from_ne_bytes(*error));
        let Some(fd) = fd else {
            return Err(io::Error::from_raw_os_error(error));
        };
        let listener = Self {
            fd,
            is_killable: flags & KILLABLE != 0,
        };
        // Best effort: calls cost more without it.
        // SAFETY: the request takes its flags by value.
        let _ = unsafe { libc::ioctl(listener.raw(), SET_FLAGS, SYNC_WAKE_UP) };
        Ok(listener)
    }

    /// Whether only a fatal signal ends a call that has been received, so that whatever is done on its behalf is done
    /// once.
    pub(crate) fn is_killable(&self) -> bool {
        self.is_killable
    }

    fn raw(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// The next call; waits for it.
    ///
    /// # Errors
    /// `ENOENT`: the process has ended meanwhile. `EINTR`.
    pub(crate) fn receive(&self) -> io::Result<PendingCall> {
        let mut call = MaybeUninit::<libc::seccomp_notif>::zeroed();
        // SAFETY: the kernel wants zeros and fills in the structure, for which all zeros is a value too.
        let call = unsafe {
            if libc::ioctl(self.raw(), RECEIVE, call.as_mut_ptr()) != 0 {
                return Err(io::Error::last_os_error());
            }
            call.assume_init()
        };
        Ok(PendingCall {
            id: call.id,
            thread: call.pid,
            number: call.data.nr.unsigned_abs(),
            arguments: call.data.args,
        })
    }

    /// Answers a call. False if its process has ended, or a signal has interrupted it.
    pub(crate) fn answer(&self, id: u64, result: CallResult) -> bool {
        let (val, error, flags) = match result {
            CallResult::Continue => (0, 0, CONTINUE),
            CallResult::Error(number) => (0, -number, 0),
            CallResult::Value(value) => (value, 0, 0),
        };
        let mut response = libc::seccomp_notif_resp {
            id,
            val,
            error,
            flags,
        };
        // SAFETY: the structure lives during the call.
        unsafe { libc::ioctl(self.raw(), SEND, &raw mut response) == 0 }
    }

    /// Whether the call still waits for its result, so that its thread id has not been reused.
    pub(crate) fn is_waiting(&self, id: u64) -> bool {
        // SAFETY: the kernel reads one number, which lives during the call.
        unsafe { libc::ioctl(self.raw(), ID_VALID, &raw const id) == 0 }
    }
}

impl AsFd for CallListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Makes the kernel report again that a socket can be written, as it does when a full buffer has room again. Has no
/// other effect.
pub(crate) fn report_writable(socket: BorrowedFd<'_>) {
    if is_unix(socket) {
        again(socket, libc::SOL_SOCKET, libc::SO_SNDBUF, 2);
    } else {
        again(socket, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, 1);
    }
}

/// Makes the kernel report again that a socket can be read, as it does when bytes arrive.
///
/// For a Unix socket it reports that it can be written, and whoever waits for both then sees both.
pub(crate) fn report_readable(socket: BorrowedFd<'_>) {
    if is_unix(socket) {
        // The kernel doubles the size that it is given.
        again(socket, libc::SOL_SOCKET, libc::SO_SNDBUF, 2);
    } else {
        again(socket, libc::SOL_SOCKET, libc::SO_RCVLOWAT, 1);
    }
}

fn is_unix(socket: BorrowedFd<'_>) -> bool {
    rustix::net::sockopt::socket_domain(socket) == Ok(rustix::net::AddressFamily::UNIX)
}

/// Sets an option to the value that it has, divided by this number.
fn again(socket: BorrowedFd<'_>, level: libc::c_int, option: libc::c_int, divisor: libc::c_int) {
    let socket = socket.as_raw_fd();
    let mut value: libc::c_int = 0;
    let mut size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: both calls use one integer and its size, which live during the calls.
    unsafe {
        if libc::getsockopt(
            socket,
            level,
            option,
            (&raw mut value).cast(),
            &raw mut size,
        ) == 0
        {
            value /= divisor;
            libc::setsockopt(socket, level, option, (&raw const value).cast(), size);
        }
    }
}

/// Gives this thread a name that tells its process from others of the same program.
pub(crate) fn name_process(name: &std::ffi::CStr) {
    // SAFETY: the kernel copies at most 16 bytes of the string.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_compares_each_number() {
        let program = program(&[7, 9]);
        let shape: Vec<(u8, u8, u32)> = program
            .iter()
            .map(|step| (step.jt, step.jf, step.k))
            .collect();
        assert_eq!(shape[7], (2, 0, 7));
        assert_eq!(shape[8], (1, 0, 9));
        assert_eq!(shape[9].2, libc::SECCOMP_RET_ALLOW);
        assert_eq!(shape[10].2, libc::SECCOMP_RET_USER_NOTIF);
        assert_eq!(program.len(), 11);
        // A call of another architecture is allowed, and so is the one that sends the listener.
        assert_eq!(shape[1].1, 7);
        assert_eq!(shape[5], (3, 0, OWN_FLAGS));
        // Other calls of that number are compared like all others.
        assert_eq!(shape[3].1, 3);
    }

    #[test]
    fn requests_have_the_numbers_of_the_kernel() {
        assert_eq!(RECEIVE, 0xC050_2100);
        assert_eq!(SEND, 0xC018_2101);
        assert_eq!(ID_VALID, 0x4008_2102);
    }
}
