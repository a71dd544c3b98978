//! Limits that the file states: how much the server accepts before it says no.

use std::time::Duration;

/// Limits that the file states. `None`: nothing is stated, and a battery looks for the limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatedLimits {
    /// Number of clients that the server serves at the same time.
    pub connections: Option<usize>,
    /// Number of requests that a connection carries.
    pub requests_per_connection: Option<usize>,
    /// Size of the longest request in bytes, including its frame.
    pub message_bytes: Option<usize>,
    /// Time after which the server closes a connection on which nothing happens.
    pub idle_close: Option<Duration>,
}

impl StatedLimits {
    /// Whether no limit is stated.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
