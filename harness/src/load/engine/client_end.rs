//! TCP state of the client's end of a connection.

use std::net::SocketAddr;

use crate::sys::TcpInfo;

/// The client's end of a sampled connection, at the end of the measured period.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientEnd {
    /// Local address.
    pub local: SocketAddr,
    pub info: TcpInfo,
    /// Effective receive buffer size, in bytes.
    pub so_rcvbuf: usize,
    /// Effective send buffer size, in bytes.
    pub so_sndbuf: usize,
}
