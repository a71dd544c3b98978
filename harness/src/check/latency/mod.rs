//! Replies that arrive late for no good reason.

mod acks;
mod nagle_40ms;

use super::Check;

const GROUP: &str = "latency";

pub(super) const CHECKS: &[&Check] = &[&nagle_40ms::ENTRY];
