//! Clients that leave abruptly.

mod fin_after_request;
mod fin_mid_request;
mod half;
mod idle_cpu;
mod oob_byte;
mod places;
mod prefix_abort;
mod rst_in_queue;
mod rst_mid_reply;
mod rst_mid_request;
mod rst_on_connect;
mod spin_after_eof;

use super::Check;

const GROUP: &str = "abrupt peers";

pub(super) const CHECKS: &[&Check] = &[
    &fin_after_request::ENTRY,
    &fin_mid_request::ENTRY,
    &rst_on_connect::ENTRY,
    &rst_in_queue::ENTRY,
    &rst_mid_request::ENTRY,
    &rst_mid_reply::ENTRY,
    &spin_after_eof::ENTRY,
    &oob_byte::ENTRY,
    &prefix_abort::ENTRY,
];
