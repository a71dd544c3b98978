//! The other end of a connection, as it appears in logs and in what the tutorial's protocol prints.

use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;

use rustix::net::{SocketAddrAny, SocketAddrUnix};

use crate::escape::Escaped;

/// Maximum bytes of a socket's path that are shown: a path is at most this long (unix(7)).
const PATH_BYTES_MAX: usize = 108;

/// The other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Peer {
    /// An IP address and a port.
    Ip(SocketAddr),
    /// The path of a Unix socket; usually empty, because clients rarely bind theirs.
    Unix(Vec<u8>),
}

impl Peer {
    /// The address that `accept` returned.
    pub(crate) fn of(address: Option<SocketAddrAny>) -> Self {
        let Some(address) = address else {
            return Self::Unix(Vec::new());
        };
        if let Ok(address) = SocketAddr::try_from(address.clone()) {
            return Self::Ip(address);
        }
        let path = SocketAddrUnix::try_from(address);
        let path = path.ok().and_then(|path| Some(path.path_bytes()?.to_vec()));
        Self::Unix(path.unwrap_or_default())
    }
}

impl Display for Peer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(path) if path.is_empty() => f.write_str("unix"),
            Self::Unix(path) => write!(f, "unix:{}", Escaped::new(path, PATH_BYTES_MAX)),
        }
    }
}
