//! The system calls that a filter names, and the errors that their manual pages list.

/// What a system call does, as far as an injection is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum CallKind {
    /// Takes a connection out of the queue of a listening socket.
    Accept,
    /// Reads from a descriptor.
    Receive,
    /// Writes to a descriptor.
    Send,
    /// Waits for events on several descriptors.
    Wait,
    /// Sets an option of a socket.
    Option,
    /// Reads an option of a socket.
    GetOption,
    /// Asks for the address of the peer.
    PeerName,
    /// Asks for the own address.
    OwnName,
    /// Ends one direction of a connection.
    Shutdown,
    /// Starts a thread or a process.
    Thread,
    /// Writes a file to the disk.
    Sync,
    /// Sets the action of a signal. Only watched, to know which calls a signal may interrupt.
    Signal,
    /// Transfers bytes in a way that no result is known for. Only watched, to say what is not tried.
    Unanswered,
    /// Sets up rings through which a process makes calls that no filter sees. Only watched.
    Rings,
}

impl CallKind {
    /// Whether a rule can concern such calls. Others are only watched.
    pub(crate) fn is_answered(self) -> bool {
        !matches!(self, Self::Signal | Self::Unanswered | Self::Rings)
    }
}

/// The calls that a filter names.
///
/// A signal interrupts even a call that waits for tcprove to receive it, and a handler without `SA_RESTART` then makes it
/// fail with EINTR, which the kernel never returns for most calls: sound servers do not expect it. So a filter names no more
/// than what is going to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallSet {
    /// Calls that a signal may interrupt anyway: accepts, reads, writes and waits.
    Interruptible,
    /// Options and addresses of sockets, and shutdown(2).
    Options,
    /// New threads and processes, and writes, which may keep a thread busy.
    Threads,
    /// All of them.
    All,
}

impl CallSet {
    const EVERY: [Self; 4] = [Self::Interruptible, Self::Options, Self::Threads, Self::All];

    /// The name, as the supervisor is told it.
    pub(in crate::process) fn name(self) -> &'static str {
        match self {
            Self::Interruptible => "interruptible",
            Self::Options => "options",
            Self::Threads => "threads",
            Self::All => "all",
        }
    }

    /// The set with this name.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|set| set.name() == name)
    }

    fn has(self, kind: CallKind) -> bool {
        use CallKind as Kind;
        match kind {
            Kind::Send => self != Self::Options,
            Kind::Accept | Kind::Receive | Kind::Wait | Kind::Sync | Kind::Signal => {
                matches!(self, Self::Interruptible | Self::All)
            }
            Kind::Option | Kind::PeerName | Kind::Shutdown => {
                matches!(self, Self::Options | Self::All)
            }
            Kind::Thread => matches!(self, Self::Threads | Self::All),
            Kind::GetOption | Kind::OwnName | Kind::Unanswered | Kind::Rings => self == Self::All,
        }
    }
}

/// A system call that a filter names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(super) number: i64,
    pub(crate) kind: CallKind,
    pub(super) shape: Shape,
}

/// Where a call has its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// The descriptor is first; the call carries no bytes.
    Descriptor,
    /// A descriptor, a buffer and its size.
    Buffer,
    /// As `Buffer`, and flags.
    FlaggedBuffer,
    /// A descriptor, an array of buffers and its length.
    Buffers,
    /// A descriptor, a message header and flags.
    Message,
    /// An epoll descriptor, events, their number and a time limit in milliseconds.
    Epoll,
    /// As `Epoll`, with a pointer to the time limit.
    EpollTimespec,
    /// An array of `pollfd`, its length and a time limit in milliseconds.
    Poll,
    /// As `Poll`, with a pointer to the time limit.
    PollTimespec,
    /// The number of descriptors, three sets, and a pointer to the time limit.
    Select,
    /// Two descriptors, the first and the third argument.
    TwoDescriptors,
    /// No descriptor.
    Nothing,
}

const fn call(name: &'static str, number: i64, kind: CallKind, shape: Shape) -> Call {
    Call {
        name,
        number,
        kind,
        shape,
    }
}

/// Every call that a filter names: none that programs make before `main`.
pub(super) const CALLS: &[Call] = &[
    call(
        "accept",
        libc::SYS_accept,
        CallKind::Accept,
        Shape::Descriptor,
    ),
    call(
        "accept4",
        libc::SYS_accept4,
        CallKind::Accept,
        Shape::Descriptor,
    ),
    call("read", libc::SYS_read, CallKind::Receive, Shape::Buffer),
    call("readv", libc::SYS_readv, CallKind::Receive, Shape::Buffers),
    call(
        "recvfrom",
        libc::SYS_recvfrom,
        CallKind::Receive,
        Shape::FlaggedBuffer,
    ),
    call(
        "recvmsg",
        libc::SYS_recvmsg,
        CallKind::Receive,
        Shape::Message,
    ),
    call("write", libc::SYS_write, CallKind::Send, Shape::Buffer),
    call("writev", libc::SYS_writev, CallKind::Send, Shape::Buffers),
    call(
        "pwrite64",
        libc::SYS_pwrite64,
        CallKind::Send,
        Shape::Buffer,
    ),
    call("pwritev", libc::SYS_pwritev, CallKind::Send, Shape::Buffers),
    call(
        "sendto",
        libc::SYS_sendto,
        CallKind::Send,
        Shape::FlaggedBuffer,
    ),
    call("sendmsg", libc::SYS_sendmsg, CallKind::Send, Shape::Message),
    call(
        "sendfile",
        libc::SYS_sendfile,
        CallKind::Send,
        Shape::Descriptor,
    ),
    call(
        "sendmmsg",
        libc::SYS_sendmmsg,
        CallKind::Unanswered,
        Shape::Descriptor,
    ),
    call(
        "recvmmsg",
        libc::SYS_recvmmsg,
        CallKind::Unanswered,
        Shape::Descriptor,
    ),
    call(
        "splice",
        libc::SYS_splice,
        CallKind::Unanswered,
        Shape::TwoDescriptors,
    ),
    call(
        "io_uring_setup",
        libc::SYS_io_uring_setup,
        CallKind::Rings,
        Shape::Nothing,
    ),
    call("fsync", libc::SYS_fsync, CallKind::Sync, Shape::Descriptor),
    call(
        "fdatasync",
        libc::SYS_fdatasync,
        CallKind::Sync,
        Shape::Descriptor,
    ),
    #[cfg(target_arch = "x86_64")]
    call(
        "epoll_wait",
        libc::SYS_epoll_wait,
        CallKind::Wait,
        Shape::Epoll,
    ),
    call(
        "epoll_pwait",
        libc::SYS_epoll_pwait,
        CallKind::Wait,
        Shape::Epoll,
    ),
    call(
        "epoll_pwait2",
        libc::SYS_epoll_pwait2,
        CallKind::Wait,
        Shape::EpollTimespec,
    ),
    #[cfg(target_arch = "x86_64")]
    call("poll", libc::SYS_poll, CallKind::Wait, Shape::Poll),
    call(
        "ppoll",
        libc::SYS_ppoll,
        CallKind::Wait,
        Shape::PollTimespec,
    ),
    #[cfg(target_arch = "x86_64")]
    call("select", libc::SYS_select, CallKind::Wait, Shape::Select),
    call(
        "pselect6",
        libc::SYS_pselect6,
        CallKind::Wait,
        Shape::Select,
    ),
    call(
        "setsockopt",
        libc::SYS_setsockopt,
        CallKind::Option,
        Shape::Descriptor,
    ),
    call(
        "getsockopt",
        libc::SYS_getsockopt,
        CallKind::GetOption,
        Shape::Descriptor,
    ),
    call(
        "getpeername",
        libc::SYS_getpeername,
        CallKind::PeerName,
        Shape::Descriptor,
    ),
    call(
        "getsockname",
        libc::SYS_getsockname,
        CallKind::OwnName,
        Shape::Descriptor,
    ),
    call(
        "shutdown",
        libc::SYS_shutdown,
        CallKind::Shutdown,
        Shape::Descriptor,
    ),
    call(
        "rt_sigaction",
        libc::SYS_rt_sigaction,
        CallKind::Signal,
        Shape::Nothing,
    ),
    call("clone", libc::SYS_clone, CallKind::Thread, Shape::Nothing),
    call("clone3", libc::SYS_clone3, CallKind::Thread, Shape::Nothing),
    #[cfg(target_arch = "x86_64")]
    call("fork", libc::SYS_fork, CallKind::Thread, Shape::Nothing),
    #[cfg(target_arch = "x86_64")]
    call("vfork", libc::SYS_vfork, CallKind::Thread, Shape::Nothing),
];

/// The numbers of those of [`CALLS`] that are in this set.
pub(super) fn numbers(set: CallSet) -> Vec<u32> {
    let named = CALLS.iter().filter(|call| set.has(call.kind));
    named
        .filter_map(|call| u32::try_from(call.number).ok())
        .collect()
}

/// The call with this number.
pub(super) fn of_number(number: u32) -> Option<&'static Call> {
    CALLS.iter().find(|call| call.number == i64::from(number))
}

/// The call with this name.
pub(crate) fn of_name(name: &str) -> Option<&'static Call> {
    CALLS.iter().find(|call| call.name == name)
}

/// Whether a part of what this call transfers can be transferred on behalf of the server.
pub(super) fn can_be_short(name: &str) -> bool {
    of_name(name).is_some_and(|call| {
        matches!(call.kind, CallKind::Receive | CallKind::Send) && call.shape != Shape::Descriptor
    })
}

/// The names of all calls that can be answered.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let answered = CALLS.iter().filter(|call| call.kind.is_answered());
    answered.map(|call| call.name)
}

/// Error numbers and their names.
const ERRORS: &[(i32, &str)] = &[
    (libc::EAGAIN, "EAGAIN"),
    (libc::ECONNABORTED, "ECONNABORTED"),
    (libc::ECONNRESET, "ECONNRESET"),
    (libc::EHOSTUNREACH, "EHOSTUNREACH"),
    (libc::EINTR, "EINTR"),
    (libc::EINVAL, "EINVAL"),
    (libc::EIO, "EIO"),
    (libc::EMFILE, "EMFILE"),
    (libc::ENETDOWN, "ENETDOWN"),
    (libc::ENETUNREACH, "ENETUNREACH"),
    (libc::ENFILE, "ENFILE"),
    (libc::ENOBUFS, "ENOBUFS"),
    (libc::ENOMEM, "ENOMEM"),
    (libc::ENOSPC, "ENOSPC"),
    (libc::ENOTCONN, "ENOTCONN"),
    (libc::EPERM, "EPERM"),
    (libc::EPIPE, "EPIPE"),
    (libc::EPROTO, "EPROTO"),
    (libc::ETIMEDOUT, "ETIMEDOUT"),
];

/// The name of an error number.
pub(crate) fn error_name(number: i32) -> String {
    let known = ERRORS.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| format!("error {number}"), |(_, name)| (*name).to_owned())
}

/// The error number of this name.
pub(crate) fn error_number(name: &str) -> Option<i32> {
    let known = ERRORS.iter().find(|(_, known)| *known == name);
    known.map(|(number, _)| *number)
}

/// The names of all errors.
pub(crate) fn error_names() -> impl Iterator<Item = &'static str> {
    ERRORS.iter().map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_unique() {
        let mut numbers = numbers(CallSet::All);
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), CALLS.len());
        assert!(CALLS.iter().all(|call| of_name(call.name) == Some(call)));
        assert!(names().all(|name| name != "sendmmsg"));
        assert!(numbers.contains(&u32::try_from(libc::SYS_sendmmsg).unwrap()));
    }

    /// Of a filter for a check only calls wait that may fail with EINTR, or that the check answers.
    #[test]
    fn a_set_has_what_its_checks_answer() {
        let of = |set| numbers(set);
        let has =
            |set, name| of_name(name).is_some_and(|call| of(set).contains(&(call.number as u32)));
        for name in [
            "accept4",
            "read",
            "sendmsg",
            "poll",
            "fsync",
            "rt_sigaction",
        ] {
            assert!(has(CallSet::Interruptible, name), "{name}");
        }
        for name in [
            "getsockname",
            "getpeername",
            "setsockopt",
            "shutdown",
            "clone",
        ] {
            assert!(!has(CallSet::Interruptible, name), "{name}");
            assert!(has(CallSet::All, name), "{name}");
        }
        assert!(has(CallSet::Options, "getpeername") && !has(CallSet::Options, "getsockname"));
        assert!(has(CallSet::Threads, "clone") && !has(CallSet::Threads, "accept"));
        assert!(has(CallSet::Threads, "sendto") && !has(CallSet::Options, "sendto"));
        for set in CallSet::EVERY {
            assert_eq!(CallSet::of_name(set.name()), Some(set));
        }
        assert_eq!(CallSet::of_name("none"), None);
    }

    #[test]
    fn errors_have_names() {
        for (number, name) in ERRORS {
            assert_eq!(error_number(name), Some(*number));
            assert_eq!(error_name(*number), *name);
        }
        assert_eq!(error_name(9999), "error 9999");
    }
}
