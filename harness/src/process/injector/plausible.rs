//! The results that the kernel may give a call, by its manual page. Pure.

use super::calls::{self, CallKind};
use super::rule::{Injected, SeenCall};

/// What the kernel may return instead.
pub(crate) fn results(call: &SeenCall) -> Vec<Injected> {
    let errors: &[i32] = match call.kind {
        // Not EMFILE: a table with room is never full.
        CallKind::Accept => &[
            libc::ECONNABORTED,
            libc::EPROTO,
            libc::EPERM,
            libc::ENOBUFS,
            libc::ENOMEM,
            libc::ENETDOWN,
            libc::EINTR,
        ],
        CallKind::Receive => &[
            libc::ECONNRESET,
            libc::ETIMEDOUT,
            libc::EHOSTUNREACH,
            libc::ENOBUFS,
            libc::ENOMEM,
            libc::EINTR,
        ],
        CallKind::Send => &[
            libc::ECONNRESET,
            libc::EPIPE,
            libc::ETIMEDOUT,
            libc::EHOSTUNREACH,
            libc::ENOBUFS,
            libc::ENOMEM,
            libc::EINTR,
        ],
        CallKind::Option => &[libc::EINVAL, libc::ENOMEM],
        CallKind::PeerName => &[libc::ENOTCONN, libc::ENOBUFS],
        CallKind::OwnName => &[libc::ENOBUFS],
        CallKind::Shutdown => &[libc::ENOTCONN],
        CallKind::GetOption
        | CallKind::Wait
        | CallKind::Thread
        | CallKind::Sync
        | CallKind::Signal
        | CallKind::Unanswered
        | CallKind::Rings => &[],
    };
    let errors = errors.iter().map(|error| Injected::Error(*error));
    let short = calls::can_be_short(call.name).then_some(Injected::Short);
    errors
        .chain(short)
        .filter(|result| is_plausible(*result, call))
        .collect()
}

/// Whether the kernel could return this. A call that cannot wait is never interrupted, and without a handler a signal
/// interrupts few calls (signal(7)). Only a signal makes a blocking write short.
pub(super) fn is_plausible(result: Injected, seen: &SeenCall) -> bool {
    match result {
        Injected::Error(libc::EINTR) => {
            seen.is_blocking && (seen.is_interruptible || seen.name.starts_with("epoll"))
        }
        Injected::Short if seen.kind == CallKind::Send => {
            !seen.is_blocking || seen.is_interruptible
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::super::rule::Place;
    use super::*;

    #[test]
    fn only_what_the_kernel_could_return_is_plausible() {
        let seen = |name: &'static str, is_blocking, is_interruptible| SeenCall {
            name,
            kind: calls::of_name(name).unwrap().kind,
            place: Place::Connection,
            is_blocking,
            is_interruptible,
        };
        let interrupted = Injected::Error(libc::EINTR);
        assert!(is_plausible(interrupted, &seen("read", true, true)));
        assert!(!is_plausible(interrupted, &seen("read", false, true)));
        assert!(!is_plausible(interrupted, &seen("read", true, false)));
        assert!(is_plausible(interrupted, &seen("epoll_wait", true, false)));
        assert!(!is_plausible(interrupted, &seen("epoll_wait", false, true)));
        let short = Injected::Short;
        assert!(is_plausible(short, &seen("read", true, false)));
        assert!(!is_plausible(short, &seen("write", true, false)));
        assert!(is_plausible(short, &seen("write", false, false)));
    }
}
