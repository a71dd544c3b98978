//! Listens on an IP address.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use super::Listener;
use crate::{Config, ServerError};

/// Listens on the first address of the host that can be listened on.
///
/// The options of connections (`TCP_NODELAY`, keep-alive, buffer sizes) are set on the listener: on
/// Linux a connection inherits them (tcp(7), socket(7)), and the buffer sizes affect the handshake
/// only if they are set before `listen`.
pub(super) fn listen(config: &Config) -> Result<Listener, ServerError> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses(config)? {
        match open(config, address).and_then(Listener::opened) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    let address = if config.host.contains(':') {
        format!("[{}]:{}", config.host, config.port)
    } else {
        format!("{}:{}", config.host, config.port)
    };
    Err(ServerError::Listen {
        address,
        source: last,
    })
}

fn addresses(config: &Config) -> Result<Vec<SocketAddr>, ServerError> {
    (config.host.as_str(), config.port)
        .to_socket_addrs()
        .map(Iterator::collect)
        .map_err(|source| ServerError::Resolve {
            host: config.host.clone(),
            source,
        })
}

fn open(config: &Config, address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(!config.dual_stack)?;
    }
    socket.set_reuse_address(config.reuse_addr)?;
    socket.set_tcp_nodelay(config.nodelay)?;
    if let Some(time) = config.keepalive {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(time))?;
    }
    if let Some(size) = config.so_rcvbuf {
        socket.set_recv_buffer_size(size)?;
    }
    if let Some(size) = config.so_sndbuf {
        socket.set_send_buffer_size(size)?;
    }
    if let Some(before_listen) = config.hooks().before_listen {
        before_listen(&socket);
    }
    socket.bind(&address.into())?;
    // The kernel caps the backlog at net.core.somaxconn.
    socket.listen(i32::try_from(config.backlog).unwrap_or(i32::MAX))?;
    Ok(socket)
}
