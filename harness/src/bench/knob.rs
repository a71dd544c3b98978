//! What can be varied: settings of the load, of the client's sockets, and of the server's command.

use std::fmt;

use crate::text::{did_you_mean, size};

/// Prefix of the parameters of the server's command.
const SERVER: &str = "server.";
/// Names that do not depend on the server.
const NAMES: [&str; 6] = [
    "payload",
    "connections",
    "pipeline",
    "client.so_rcvbuf",
    "client.so_sndbuf",
    "client.mss",
];
/// Maximum buffer size in bytes: the kernel takes an `int`.
const BUFFER_MAX: u64 = i32::MAX as u64;

/// A setting that a sweep can vary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Knob {
    /// Bytes of `{payload}`.
    Payload,
    /// Number of connections.
    Connections,
    /// Maximum number of outstanding requests per connection.
    Pipeline,
    /// `SO_RCVBUF` of the client; 0: the kernel's default.
    ClientRcvbuf,
    /// `SO_SNDBUF` of the client; 0: the kernel's default.
    ClientSndbuf,
    /// `TCP_MAXSEG` of the client; 0: the default of the path.
    ClientMss,
    /// A parameter of the server's command.
    Server(String),
}

/// A buffer of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Buffer {
    /// `SO_RCVBUF`.
    Receive,
    /// `SO_SNDBUF`.
    Send,
}

/// One value of an axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Value {
    /// The text as it is applied and reported; sizes in bytes.
    pub text: String,
    /// The value as a number, if it is one.
    pub number: Option<u64>,
}

/// A malformed axis.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct AxisError(pub(super) String);

impl Knob {
    /// Finds a knob by its name on the command line.
    ///
    /// # Errors
    /// There is no knob with this name.
    pub(crate) fn parse(name: &str) -> Result<Self, AxisError> {
        Ok(match name {
            "payload" => Self::Payload,
            "connections" => Self::Connections,
            "pipeline" => Self::Pipeline,
            "client.so_rcvbuf" => Self::ClientRcvbuf,
            "client.so_sndbuf" => Self::ClientSndbuf,
            "client.mss" => Self::ClientMss,
            _ => match name.strip_prefix(SERVER).filter(|param| !param.is_empty()) {
                Some(param) => Self::Server(param.to_owned()),
                None => {
                    let known = NAMES.into_iter().chain(["server.<parameter>"]);
                    let near = did_you_mean(name, known).unwrap_or_default();
                    return Err(AxisError(format!("there is no axis `{name}`: {near}")));
                }
            },
        })
    }

    /// The parameter of the server's command that it sets.
    pub(crate) fn server_param(&self) -> Option<&str> {
        match self {
            Self::Server(param) => Some(param),
            _ => None,
        }
    }

    /// The name in sentences.
    pub(crate) fn short(&self) -> String {
        self.server_param()
            .map_or_else(|| self.to_string(), str::to_owned)
    }

    /// The socket buffer that it sets; for a server parameter this is derived from its name.
    pub(crate) fn buffer(&self) -> Option<Buffer> {
        match self {
            Self::ClientRcvbuf => Some(Buffer::Receive),
            Self::ClientSndbuf => Some(Buffer::Send),
            Self::Server(param) => {
                let param = param.to_lowercase();
                let named = |buffer, word| param.contains(word).then_some(buffer);
                named(Buffer::Receive, "rcvbuf").or_else(|| named(Buffer::Send, "sndbuf"))
            }
            _ => None,
        }
    }

    /// Whether it sets the size of a read of the server, judging by its name.
    pub(crate) fn is_read_size(&self) -> bool {
        self.server_param().is_some_and(|param| {
            let param = param.to_lowercase();
            param.contains("recv") && param.contains("buf") && !param.starts_with("so_")
        })
    }

    /// Whether it describes the workload, so that no value can be recommended.
    pub(crate) fn is_class(&self) -> bool {
        matches!(self, Self::Payload | Self::Connections | Self::ClientMss)
    }

    fn range(&self) -> (u64, u64) {
        match self {
            Self::Payload => (0, 64 << 20),
            Self::Connections => (1, 100_000),
            Self::Pipeline => (1, 10_000),
            Self::ClientRcvbuf | Self::ClientSndbuf => (0, BUFFER_MAX),
            // TCP_MIN_MSS and MAX_TCP_WINDOW of the kernel's net/tcp.h.
            Self::ClientMss => (88, 32_767),
            Self::Server(_) => (0, u64::MAX),
        }
    }

    /// Parses a value of the command line.
    ///
    /// # Errors
    /// Why the knob does not accept it, as a clause.
    pub(crate) fn value(&self, text: &str) -> Result<Value, String> {
        if let Self::Server(_) = self {
            return Ok(server_value(text));
        }
        let number = match self {
            Self::Connections | Self::Pipeline => text
                .parse()
                .map_err(|_| format!("`{text}` is not a whole number"))?,
            _ => size::parse(text)?,
        };
        let (least, most) = self.range();
        let is_default = number == 0 && *self == Self::ClientMss;
        if !is_default && !(least..=most).contains(&number) {
            let or_default = if *self == Self::ClientMss {
                ", or 0 for the default of the path"
            } else {
                ""
            };
            return Err(format!(
                "{number} is out of range: {least} to {most}{or_default}"
            ));
        }
        Ok(Value {
            text: number.to_string(),
            number: Some(number),
        })
    }
}

/// Values of server parameters are passed on as text. Only sizes with a unit of this command line are converted to
/// bytes, which every server understands.
fn server_value(text: &str) -> Value {
    let bytes = size::parse(text).ok();
    let has_unit = text.ends_with("KiB") || text.ends_with("MiB");
    Value {
        text: match bytes {
            Some(bytes) if has_unit => bytes.to_string(),
            _ => text.to_owned(),
        },
        number: bytes.filter(|_| has_unit).or_else(|| text.parse().ok()),
    }
}

impl fmt::Display for Knob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Payload => NAMES[0],
            Self::Connections => NAMES[1],
            Self::Pipeline => NAMES[2],
            Self::ClientRcvbuf => NAMES[3],
            Self::ClientSndbuf => NAMES[4],
            Self::ClientMss => NAMES[5],
            Self::Server(param) => return write!(f, "{SERVER}{param}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn socket_buffers_are_known_by_their_names() {
        let buffer = |text: &str| Knob::parse(text).unwrap().buffer();
        assert_eq!(buffer("client.so_sndbuf"), Some(Buffer::Send));
        assert_eq!(
            buffer("server.so_rcvbuf_after_accept"),
            Some(Buffer::Receive)
        );
        assert_eq!(buffer("server.so-sndbuf"), Some(Buffer::Send));
        assert_eq!(buffer("server.recv_buffer"), None);
        assert!(!Knob::parse("server.so_recvbuf").unwrap().is_read_size());
    }
}
