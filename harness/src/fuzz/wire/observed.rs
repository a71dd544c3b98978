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
    /// Waits for a reply that did not come.
    pub in_vain: usize,
}

impl Observed {
    /// Whether the server has refused a request as wrong (HTTP 4xx), and reported no failure of its own (5xx).
    pub(crate) fn is_refused(&self) -> bool {
        let mut statuses = self.connections.iter().flat_map(Received::statuses);
        let mut refused = false;
        statuses.all(|class| {
            refused |= class == b'4';
            class != b'5'
        }) && refused
    }
}

impl Received {
    /// The first digit of the status of each HTTP reply.
    fn statuses(&self) -> impl Iterator<Item = u8> + '_ {
        const NAME: &[u8] = b"HTTP/1.";
        let is_http = self.bytes.starts_with(NAME);
        let replies = memchr::memmem::find_iter(if is_http { &self.bytes } else { &[][..] }, NAME);
        replies.filter_map(|at| self.bytes.get(at + NAME.len() + 2).copied())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_the_server_is_no_refusal() {
        let observed = |replies: &[&[u8]]| {
            let received = |bytes: &&[u8]| Received {
                bytes: bytes.to_vec(),
                length: bytes.len() as u64,
                end: ConnectionEnd::Eof,
            };
            Observed {
                connections: replies.iter().map(received).collect(),
                not_taken: 0,
                in_vain: 0,
            }
        };
        assert!(observed(&[b"HTTP/1.1 400 Bad Request\r\n\r\n"]).is_refused());
        assert!(observed(&[b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 404 No\r\n\r\n"]).is_refused());
        assert!(!observed(&[b"HTTP/1.1 400 Bad\r\n\r\n", b"HTTP/1.1 500 Oh\r\n\r\n"]).is_refused());
        assert!(!observed(&[b"HTTP/1.1 200 OK\r\n\r\n"]).is_refused());
        assert!(!observed(&[b"4 HTTP/1.1 400\r\n"]).is_refused());
    }
}
