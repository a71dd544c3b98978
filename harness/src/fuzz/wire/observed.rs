//! What the client of a case observed.

/// Maximum bytes kept of what one connection received; all are counted.
pub(crate) const KEPT_BYTES_MAX: usize = 256 * 1024;

/// What the server did during one case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    /// One entry per connection, in the order they were opened.
    pub connections: Vec<Received>,
    /// Sends that the server did not read completely within the limit.
    pub not_taken: usize,
}

/// What one connection received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    /// The first [`KEPT_BYTES_MAX`] bytes.
    pub bytes: Vec<u8>,
    /// The number of bytes.
    pub length: u64,
    pub end: ConnectionEnd,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ConnectionEnd {
    /// The server closed with FIN.
    Eof,
    /// The server reset the connection.
    Reset,
    /// The connection was refused.
    Refused,
    /// The server did not close within the limit after the client's FIN.
    StillOpen,
    /// The case closed or reset the connection.
    Ours,
}
