//! Listening sockets that tcprove opens for a server.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Length of the accept queue. The kernel lowers it to net.core.somaxconn.
const BACKLOG: i32 = 4096;

/// Opens a listening socket as a service manager does: a port in TIME_WAIT does not prevent it.
///
/// # Errors
/// Those of socket(2), bind(2) and listen(2).
pub(super) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
