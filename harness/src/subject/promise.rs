//! What the server promises. A check that needs an absent promise is skipped.

/// What the server promises; `None`: nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Promise {
    /// Bytes of the longest request it takes, frame included.
    pub max_message: Option<usize>,
    /// Asked to stop, it first answers what it has begun to read.
    pub drains_on_stop: Option<bool>,
    /// It answers requests in order that were sent without waiting for replies.
    pub pipelining: Option<bool>,
    /// What its text is encoded in.
    pub encoding: Option<Encoding>,
    /// Connections it serves at once.
    pub max_connections: Option<usize>,
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
