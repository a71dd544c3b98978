//! Promises of the server. A check that needs an absent promise is skipped.

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
    /// Maximum number of concurrent connections.
    pub max_connections: Option<usize>,
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
