//! What lies between a socket and the protocol.

use std::fmt::{self, Display, Formatter};

use super::Config;

/// A layer that a planted fault needs to show in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The header of the PROXY protocol.
    Proxy,
    /// TLS from the beginning of the connection.
    Tls,
    /// TLS after the command `STARTTLS`.
    StartTls,
    /// The socket itself, without TLS: a defect in what the server reads from it or writes to it.
    Socket,
}

impl Layer {
    /// Whether connections have the layer with these settings.
    #[cfg_attr(
        not(feature = "cli"),
        expect(dead_code, reason = "the binary checks its arguments")
    )]
    pub(crate) fn is_in(self, config: &Config) -> bool {
        match self {
            Self::Proxy => config.proxy.is_some(),
            Self::Tls => config.tls.is_some() && !config.starttls,
            Self::StartTls => config.tls.is_some() && config.starttls,
            Self::Socket => config.tls.is_none(),
        }
    }
}

impl Display for Layer {
    /// The options that add the layer.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proxy => "--proxy",
            Self::Tls => "--tls-cert and --tls-key, without --starttls",
            Self::StartTls => "--tls-cert, --tls-key and --starttls",
            Self::Socket => "plain connections, without --tls-cert",
        })
    }
}
