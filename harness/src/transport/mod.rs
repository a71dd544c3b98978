//! How the bytes of a conversation travel: over TCP or a Unix socket, after a PROXY protocol header, inside TLS.
//!
//! This module opens no socket. An [`Endpoint`] names the server's address and makes, for each connection, the bytes
//! that come first (its prologue) and the layer that encrypts (TLS). Every client (checks,
//! fuzzing, load) drives them with its own kind of socket.

mod address;
mod proxy;
pub(crate) mod tls;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

pub use address::Address;
pub use proxy::ProxyVersion;
pub use tls::{TestAuthority, Tls, TlsSettings};
pub(crate) use tls::{TlsChannel, TlsError};

/// How a server is reached, apart from its address: `[transport]` of the file.
#[derive(Debug, Clone, Default)]
pub struct Transport {
    /// Path of the Unix socket on which the server listens, with placeholders. `None`: TCP.
    pub unix: Option<String>,
    /// The PROXY protocol header that starts each connection.
    pub proxy: Option<ProxyVersion>,
    /// TLS.
    pub tls: Option<Tls>,
}

impl Transport {
    /// Whether the conversation's bytes are those on the socket, from the first to the last.
    pub fn is_plain(&self) -> bool {
        self.proxy.is_none() && self.tls.is_none()
    }

    /// The transport in a few words, such as `TLS over a Unix socket, after a PROXY v2 header`; `None` for plain TCP.
    pub fn describe(&self) -> Option<String> {
        let tls = self
            .tls
            .as_ref()
            .map(|tls| if tls.starttls { "STARTTLS" } else { "TLS" });
        let socket = match (tls, &self.unix) {
            (None, None) => None,
            (Some(tls), None) => Some(tls.to_owned()),
            (None, Some(_)) => Some("a Unix socket".to_owned()),
            (Some(tls), Some(_)) => Some(format!("{tls} over a Unix socket")),
        };
        match (socket, self.proxy) {
            (socket, None) => socket,
            (None, Some(version)) => Some(format!("a PROXY {version} header")),
            (Some(socket), Some(version)) => {
                Some(format!("{socket}, after a PROXY {version} header"))
            }
        }
    }
}

/// Where and how to connect to a server.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The address of its socket.
    pub address: Address,
    /// What surrounds the conversation.
    pub transport: Arc<Transport>,
}

impl Endpoint {
    /// An endpoint without TLS and PROXY header.
    pub fn plain(address: impl Into<Address>) -> Self {
        Self {
            address: address.into(),
            transport: Arc::default(),
        }
    }

    /// The bytes that a connection starts with: the PROXY header, or nothing. `client` is the client's address, `None`
    /// over a Unix socket.
    pub(crate) fn prologue(&self, client: Option<SocketAddr>) -> Vec<u8> {
        let Some(version) = self.transport.proxy else {
            return Vec::new();
        };
        match (client, &self.address) {
            (Some(client), Address::Tcp(server)) => version.header(Some((client, *server))),
            _ => version.header(None),
        }
    }

    /// The TLS layer of a new connection; `None` if it starts in plain text.
    pub(crate) fn tls(&self) -> Option<Result<TlsChannel, TlsError>> {
        let tls = self.transport.tls.as_ref().filter(|tls| !tls.starttls)?;
        Some(tls.channel())
    }

    /// The TLS layer of a connection that has just agreed on STARTTLS; `None` if the file does not ask for TLS.
    pub(crate) fn starttls(&self) -> Option<Result<TlsChannel, TlsError>> {
        self.transport.tls.as_ref().map(Tls::channel)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}
