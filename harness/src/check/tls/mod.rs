//! TLS: the handshake, its records, its end, and the switch to it.

mod close_notify;
mod garbage;
mod record_split;
mod stalled_handshake;
mod starttls_injection;

use super::Check;

const GROUP: &str = "tls";

pub(super) const CHECKS: &[&Check] = &[
    &stalled_handshake::ENTRY,
    &garbage::ENTRY,
    &record_split::ENTRY,
    &close_notify::ENTRY,
    &starttls_injection::ENTRY,
];
