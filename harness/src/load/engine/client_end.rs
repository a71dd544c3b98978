//! The client's end of a connection.

use std::net::SocketAddr;

use crate::sys::TcpInfo;

/// Our end of a connection, near the end of the measured period.
#[derive(Debug, Clone, Copy)]
pub struct ClientEnd {
    /// Its address.
    pub local: SocketAddr,
    /// What the kernel knows.
    pub info: TcpInfo,
    /// The receive buffer in force.
    pub so_rcvbuf: usize,
    /// The send buffer in force.
    pub so_sndbuf: usize,
}
