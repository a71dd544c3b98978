//! Promises of the server. A check that needs an absent promise is skipped.

use std::time::Duration;

use super::StatedLimits;

/// Promises of the server. `None` means that nothing is promised.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Promise {
    /// Maximum size of a request in bytes, including its frame.
    pub max_message: Option<usize>,
    /// When asked to stop, it first answers the requests that it has started to read.
    pub drains_on_stop: Option<bool>,
    /// It answers requests in order that were sent without waiting for replies.
    pub pipelining: Option<bool>,
    /// Encoding of its text.
    pub encoding: Option<Encoding>,
    /// Number of connections that it serves at once.
    pub max_connections: Option<usize>,
    /// Time after which it closes the connection of a client that is silent.
    pub idle_timeout: Option<Duration>,
    /// The address families on which it serves; empty: nothing is promised.
    pub families: Vec<Family>,
    /// With port 0 it chooses a port and announces it.
    pub port0: Option<bool>,
    /// Limits that the file states beside.
    pub limits: StatedLimits,
}

impl Promise {
    /// Maximum size of a request in bytes, including its frame, that the file promises or states as a limit.
    #[must_use]
    pub fn longest_message(&self) -> Option<usize> {
        self.max_message.or(self.limits.message_bytes)
    }

    /// Number of clients at once that the file promises or states as a limit.
    #[must_use]
    pub fn most_connections(&self) -> Option<usize> {
        self.max_connections.or(self.limits.connections)
    }

    /// The promises that hold for any server of the same protocol. Sizes, times, numbers, limits and
    /// validation of text are specific to a server.
    #[must_use]
    pub fn of_protocol_only(&self) -> Self {
        Self {
            pipelining: self.pipelining,
            ..Self::default()
        }
    }
}

/// A text encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
}

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}
