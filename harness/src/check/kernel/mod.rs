//! What the kernel may return to a server that no client can cause: failed accepts, interrupted calls, short transfers,
//! errors of a connection, no memory, no threads, a full disk.
//!
//! The server runs with a filter of its system calls ([`injector`](crate::process::injector)); all other checks run
//! without it. A result is only injected where the kernel could return it, and only on the sockets of the server's
//! address. What a server may do, such as closing the connection that has failed, is no failure: it has to go on running,
//! to serve others, and to come to rest.

mod accept_aborted;
mod accept_refused;
mod accept_short;
mod accepting;
mod broken;
mod disk_full;
mod interrupted;
mod no_thread;
mod options_refused;
mod recv_error;
mod send_error;
mod short_read;
mod short_write;
mod slow_accept;
mod transfers;
pub(super) mod trial;

use super::Check;

const GROUP: &str = "kernel";

pub(super) const CHECKS: &[&Check] = &[
    &accept_aborted::ENTRY,
    &accept_short::ENTRY,
    &accept_refused::ENTRY,
    &slow_accept::ENTRY,
    &interrupted::ENTRY,
    &short_write::ENTRY,
    &short_read::ENTRY,
    &send_error::ENTRY,
    &recv_error::ENTRY,
    &options_refused::ENTRY,
    &no_thread::ENTRY,
    &disk_full::ENTRY,
];
