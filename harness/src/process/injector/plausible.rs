//! The results that the kernel may give a call, by its manual page. Pure.

use super::calls::{self, CallKind};
use super::engine::is_plausible;
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
