//! Promises of the server. A check that needs an absent promise is skipped.

use std::time::Duration;

/// Promises of the server. `None` and empty mean that nothing is promised.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Promise {
    /// Maximum size of a request in bytes, including its frame.
    pub max_message: Option<usize>,
    /// Time after which it closes an idle connection.
    pub idle_timeout: Option<Duration>,
    /// When asked to stop, it first answers the requests that it has started to read.
    pub drains_on_stop: Option<bool>,
    /// It answers requests in order that were sent without waiting for replies.
    pub pipelining: Option<bool>,
    /// Encoding of its text.
    pub encoding: Option<Encoding>,
    /// Maximum number of concurrent connections.
    pub max_connections: Option<usize>,
    /// Address families on which it listens.
    pub families: Vec<Family>,
    /// When started with port 0, it listens on a free port and prints it.
    pub port0: bool,
    /// Reloading loses no request.
    pub reload: Option<bool>,
}

impl Promise {
    /// The promises that hold for any server of the same protocol. Sizes, times, numbers and
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
    /// 127.0.0.1
    Ipv4,
    /// ::1
    Ipv6,
}
