//! The listening socket: `socket`, its options, `bind`, `listen`.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use crate::{Config, ServerError};

/// Opens the listening socket. Child processes do not inherit it.
///
/// The options of connections (`TCP_NODELAY`, keep-alive, buffer sizes) are set on the listener: on
/// Linux a connection inherits them (tcp(7), socket(7)), and the buffer sizes affect the handshake
/// only if they are set before `listen`.
///
/// # Errors
/// The host does not resolve, or none of its addresses can be listened on.
pub fn bind(config: &Config) -> Result<TcpListener, ServerError> {
    let config = config.clone().effective();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses(&config)? {
        match listen(&config, address) {
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

fn listen(config: &Config, address: SocketAddr) -> io::Result<TcpListener> {
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
    Ok(socket.into())
}
