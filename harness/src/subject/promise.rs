//! What the server promises. A check that needs an absent promise is skipped.

use std::time::Duration;

/// What the server promises; `None` and empty: nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Promise {
    /// Bytes of the longest request it takes, frame included.
    pub max_message: Option<usize>,
    /// When it closes a connection that says nothing.
    pub idle_timeout: Option<Duration>,
    /// Asked to stop, it first answers what it has begun to read.
    pub drains_on_stop: Option<bool>,
    /// It answers requests in order that were sent without waiting for replies.
    pub pipelining: Option<bool>,
    /// What its text is encoded in.
    pub encoding: Option<Encoding>,
    /// Connections it serves at once.
    pub max_connections: Option<usize>,
    /// Where it listens.
    pub families: Vec<Family>,
    /// Started with port 0 it takes a free port and says which.
    pub port0: bool,
    /// The `reload` signal loses no request.
    pub reload: Option<bool>,
}

impl Promise {
    /// What holds for every server of the same protocol: sizes, times, numbers and whether text is
    /// looked at are the server's own.
    #[must_use]
    pub fn of_protocol_only(&self) -> Self {
        Self {
            pipelining: self.pipelining,
            ..Self::default()
        }
    }
}

/// An encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
}

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// 127.0.0.1
    Ipv4,
    /// ::1
    Ipv6,
}
