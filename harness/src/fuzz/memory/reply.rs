//! What a service did with one connection in memory.

/// What one connection returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceReply {
    /// The bytes that the client received, at most the first [`super::ANSWER_BYTES_MAX`].
    pub bytes: Vec<u8>,
    /// The number of bytes that the client received.
    pub length: u64,
    /// What the service did with the connection after every client had finished.
    pub end: StreamEnd,
}

/// What a service did with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// It dropped the stream.
    Closed,
    /// It shut down writing (FIN) but still holds the stream.
    Finished,
    /// It still holds the stream and waits although the client has finished: a leak, unless it waits for another
    /// connection.
    Open,
    /// It was still running after [`super::POLLS_MAX`] polls.
    Busy,
}
