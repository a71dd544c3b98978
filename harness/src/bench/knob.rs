//! What can be turned: settings of the load, of our sockets, and of the server's command.

use std::fmt;

use crate::text::{did_you_mean, size};

/// Parameters of the server's command are named with this before them.
const SERVER: &str = "server.";
/// The names that do not depend on the server.
const NAMES: [&str; 6] = [
    "payload",
    "connections",
    "pipeline",
    "client.so_rcvbuf",
    "client.so_sndbuf",
    "client.mss",
];
/// The kernel takes buffers of at most so many bytes, as an `int`.
const BUFFER_MAX: u64 = i32::MAX as u64;

/// What is turned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Knob {
    /// Bytes of `{payload}`.
    Payload,
    /// Connections of the load.
    Connections,
    /// Requests that may wait on one connection.
    Pipeline,
    /// `SO_RCVBUF` of our end; 0: the kernel's own choice.
    ClientRcvbuf,
    /// `SO_SNDBUF` of our end; 0: the kernel's own choice.
    ClientSndbuf,
    /// `TCP_MAXSEG` of our end; 0: the path's own.
    ClientMss,
    /// A parameter of the server's command.
    Server(String),
}

/// Which buffer of a socket an axis sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Buffer {
    /// `SO_RCVBUF`.
    Receive,
    /// `SO_SNDBUF`.
    Send,
}

/// One value of an axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// As it is applied and reported; sizes in bytes.
    pub text: String,
    /// The same as a number, where it is one.
    pub number: Option<u64>,
}

/// An axis that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AxisError(pub(super) String);

impl Knob {
    /// By its name on the command line.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn parse(name: &str) -> Result<Self, AxisError> {
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
    pub fn server_param(&self) -> Option<&str> {
        match self {
            Self::Server(param) => Some(param),
            _ => None,
        }
    }

    /// Its name in sentences.
    pub fn short(&self) -> String {
        self.server_param()
            .map_or_else(|| self.to_string(), str::to_owned)
    }

    /// The socket buffer that it sets. Of a parameter of the server only its name can tell.
    pub fn buffer(&self) -> Option<Buffer> {
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

    /// Whether it sets how many bytes the server asks for with one read.
    pub fn is_read_size(&self) -> bool {
        self.server_param().is_some_and(|param| {
            let param = param.to_lowercase();
            param.contains("recv") && param.contains("buf") && !param.starts_with("so_")
        })
    }

    /// Whether it is a property of the use, and not a setting that could be recommended.
    pub fn is_class(&self) -> bool {
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

    /// A value as it is written on the command line.
    ///
    /// # Errors
    /// A sentence on why it does not take this one.
    pub fn value(&self, text: &str) -> Result<Value, String> {
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
        let own_choice = number == 0 && *self == Self::ClientMss;
        if !own_choice && !(least..=most).contains(&number) {
            let or_none = if *self == Self::ClientMss {
                ", or 0 for the path's own"
            } else {
                ""
            };
            return Err(format!(
                "{number} is out of range: {least} to {most}{or_none}"
            ));
        }
        Ok(Value {
            text: number.to_string(),
            number: Some(number),
        })
    }
}

/// What a server's flag takes is the server's business: text goes to it as it stands. Only the units
/// of this command line are turned into bytes, which every server can read.
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
