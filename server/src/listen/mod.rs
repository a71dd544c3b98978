//! The listening socket: `socket`, its options, `bind`, `listen`.

mod tcp;
mod unix;

use std::fmt::{self, Display, Formatter};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::Socket;
use unix::SocketFile;

use crate::peer::Peer;
use crate::{Config, ServerError};

/// Opens the listening socket. Child processes do not inherit it.
///
/// # Errors
/// The host does not resolve, or none of its addresses can be listened on, or the path of the Unix
/// socket cannot be.
pub fn bind(config: &Config) -> Result<Listener, ServerError> {
    let config = config.clone().effective();
    match &config.unix {
        Some(path) => unix::listen(&config, path),
        None => tcp::listen(&config),
    }
}

/// A listening socket. Dropping it closes the socket and removes its file, if it has one.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    address: Address,
    file: Option<SocketFile>,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Address {
    Ip(SocketAddr),
    Unix(PathBuf),
}

impl Listener {
    /// The IP address and the port.
    ///
    /// # Errors
    /// The socket is a Unix socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.address {
            Address::Ip(address) => Ok(*address),
            Address::Unix(_) => Err(ErrorKind::Unsupported.into()),
        }
    }

    /// A listener that another process has opened, and whose file that process removes.
    ///
    /// # Errors
    /// The descriptor is not a socket of a known family.
    #[cfg(feature = "cli")]
    pub(crate) fn inherited(socket: OwnedFd) -> io::Result<Self> {
        Self::opened(socket.into())
    }

    fn opened(socket: Socket) -> io::Result<Self> {
        let bound = socket.local_addr()?;
        let address = match (bound.as_socket(), bound.as_pathname()) {
            (Some(address), _) => Address::Ip(address),
            (None, Some(path)) => Address::Unix(path.to_owned()),
            (None, None) => return Err(ErrorKind::Unsupported.into()),
        };
        Ok(Self {
            socket: socket.into(),
            address,
            file: None,
        })
    }

    /// Makes `accept` return `WouldBlock` instead of waiting.
    pub(crate) fn set_nonblocking(&self) -> io::Result<()> {
        Ok(rustix::io::ioctl_fionbio(&self.socket, true)?)
    }

    /// The socket, and its file, which is removed on drop.
    pub(crate) fn into_parts(self) -> (OwnedFd, Option<SocketFile>) {
        (self.socket, self.file)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Display for Listener {
    /// `HOST:PORT`, or `unix:PATH`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Ip(address) => address.fmt(f),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Accepts a connection.
pub(crate) fn accept(listener: impl AsFd) -> io::Result<(OwnedFd, Peer)> {
    let accept = || acceptfrom_with(&listener, SocketFlags::CLOEXEC);
    let (socket, address) = rustix::io::retry_on_intr(accept)?;
    Ok((socket, Peer::of(address)))
}
