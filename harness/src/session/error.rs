//! Why an operation of a client connection failed.

use std::io;
use std::time::Duration;

use super::link::tls_error;
use crate::process::LoginFailure;
use crate::talk::{Mismatch, RenderError};
use crate::transport::{Address, TlsError};

/// Why an operation of a [`Session`](super::Session) failed.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// Nobody listens at the address.
    #[error("connection refused by {address}")]
    Refused { address: Address },
    /// The connect did not complete in time.
    #[error("connecting to {address} timed out after {limit:?}")]
    ConnectTimedOut {
        address: Address,
        /// The time limit.
        limit: Duration,
    },
    /// The TLS handshake was not complete in time.
    #[error("no TLS handshake within {limit:?}")]
    NoHandshake {
        /// The time limit.
        limit: Duration,
    },
    /// The server violated TLS, refused the connection, or has the wrong certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// RST instead of a reply, or while sending.
    #[error(
        "the connection was reset after {after} bytes of the reply{}",
        shown(got)
    )]
    Reset {
        /// Number of bytes of the reply received.
        after: usize,
        /// Those bytes, escaped.
        got: String,
    },
    /// FIN instead of a complete reply.
    #[error(
        "the server closed the connection after {after} bytes of the reply{}",
        shown(got)
    )]
    Eof {
        /// Number of bytes of the reply received.
        after: usize,
        /// Those bytes, escaped.
        got: String,
    },
    /// No complete reply in time.
    #[error(
        "no complete reply within {limit:?} ({after} bytes received{})",
        shown(got)
    )]
    Silent {
        /// The time limit.
        limit: Duration,
        /// Number of bytes of the reply received.
        after: usize,
        /// Those bytes, escaped.
        got: String,
    },
    /// The reply is complete, but the server has not closed the connection.
    #[error("the reply is complete, but the connection is still open after {limit:?}")]
    NotClosed {
        /// The time limit.
        limit: Duration,
    },
    /// A complete reply that is not the expected one.
    #[error("wrong reply: {mismatch}; got \"{reply}\"")]
    Wrong {
        mismatch: Mismatch,
        /// The whole reply, escaped.
        reply: String,
    },
    /// The server did not read what was sent, until both queues were full.
    #[error("the server accepted only {sent} of {of} bytes within {limit:?}")]
    NotTaken {
        /// Number of bytes accepted.
        sent: usize,
        /// Number of bytes to send.
        of: usize,
        /// The time limit.
        limit: Duration,
    },
    /// The server left data in its receive queue.
    #[error("the server left {queued} bytes unread for {limit:?}")]
    NotRead {
        /// Number of bytes in the queue.
        queued: usize,
        /// The time limit.
        limit: Duration,
    },
    /// The reply exceeded the maximum size without ending.
    #[error("the reply has no end: {bytes} bytes and counting")]
    Endless {
        /// Number of bytes received.
        bytes: usize,
    },
    /// A program that logs in did not succeed.
    #[error("{0}")]
    Login(Box<LoginFailure>),
    /// The server had sent more than the opening expects before a program logs in, which the program cannot read any
    /// more.
    #[error("{bytes} bytes were received before the login that belong to it: \"{got}\"")]
    BeforeLogin {
        bytes: usize,
        /// Those bytes, escaped.
        got: String,
    },
    /// The kernel gives no evidence that the stimulus happened.
    #[error("unproven: {0}")]
    Unproven(String),
    /// The talk cannot be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The client's side failed: descriptors, ports, memory.
    #[error("on tcprove's side: {0}")]
    Harness(io::Error),
}

/// Maximum length of a reply that is quoted in full, in characters.
const REPLY_CHARS_QUOTED: usize = 160;

impl PeerError {
    /// Whether the server ended the connection or answered without any word of the request that has this token: a refusal.
    pub(crate) fn is_refusal_of(&self, token: &str) -> bool {
        match self {
            Self::Reset { got, .. } | Self::Eof { got, .. } | Self::Wrong { reply: got, .. } => {
                !got.contains(token)
            }
            _ => false,
        }
    }

    /// What the server should have done, and what it did instead. `None` if the server is not the
    /// cause: an error on the client's side, a talk that cannot be rendered, a stimulus without
    /// proof.
    pub fn mismatch(&self) -> Option<Mismatch> {
        let expected = match self {
            Self::Refused { .. } | Self::ConnectTimedOut { .. } => "the connection is accepted",
            Self::Reset { .. } | Self::Eof { .. } | Self::Silent { .. } => "the whole reply",
            Self::NotClosed { .. } => "the server closes the connection after its reply",
            Self::NotTaken { .. } | Self::NotRead { .. } => "the server reads what is sent to it",
            Self::Endless { .. } => "a reply with an end",
            Self::NoHandshake { .. } | Self::Tls(TlsError::Peer(_)) => "a TLS connection",
            Self::Wrong { mismatch, reply } => return Some(with_reply(mismatch, reply)),
            Self::Login(_) => "the login succeeds",
            Self::BeforeLogin { .. } => {
                "the server sends what the opening expects, and nothing more before the program has read that"
            }
            Self::Unproven(_)
            | Self::Harness(_)
            | Self::Render(_)
            | Self::Tls(TlsError::Settings(_)) => return None,
        };
        Some(Mismatch::new(expected, self.to_string()))
    }

    /// Whether the connection was not accepted.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::ConnectTimedOut { .. })
    }

    /// Whether the server neither answered nor ended the connection until the time limit.
    pub(crate) fn is_silence(&self) -> bool {
        matches!(
            self,
            Self::Silent { after: 0, .. } | Self::NotTaken { .. } | Self::NotRead { .. }
        )
    }

    /// Classifies the error of a read or write.
    pub(super) fn from_io(error: io::Error, after: usize, got: &str) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
        if let Some(error) = tls_error(&error) {
            return Self::Tls(error.clone());
        }
        match error.kind() {
            // The end of the stream during a TLS handshake.
            io::ErrorKind::UnexpectedEof => Self::Eof {
                after,
                got: got.to_owned(),
            },
            ConnectionReset | BrokenPipe | ConnectionAborted | NotConnected => Self::Reset {
                after,
                got: got.to_owned(),
            },
            _ => Self::Harness(error),
        }
    }

    /// Classifies the error of a connect.
    pub(super) fn from_connect(error: io::Error, address: &Address) -> Self {
        use io::ErrorKind::{ConnectionRefused, ConnectionReset, NotFound, TimedOut};
        match error.kind() {
            // The path of a Unix socket on which nobody listens any more.
            ConnectionRefused | NotFound => Self::Refused {
                address: address.clone(),
            },
            ConnectionReset => Self::Reset {
                after: 0,
                got: String::new(),
            },
            TimedOut => Self::ConnectTimedOut {
                address: address.clone(),
                limit: Duration::ZERO,
            },
            _ => Self::Harness(error),
        }
    }
}

/// Appends the whole reply to the mismatch, unless it is already quoted or too long.
fn with_reply(mismatch: &Mismatch, reply: &str) -> Mismatch {
    let quoted = reply.is_empty() || mismatch.quotes_reply;
    let actual = if quoted || reply.chars().count() > REPLY_CHARS_QUOTED {
        mismatch.actual.clone()
    } else {
        format!("{}; the reply: \"{reply}\"", mismatch.actual)
    };
    Mismatch::new(mismatch.expected.clone(), actual)
}

/// An exchange of the talk's opening that went wrong.
#[derive(Debug)]
pub struct OpeningError {
    /// Which one: `talk.open[1]`.
    pub label: String,
    /// The bytes that the client sent, or meant to send; empty for a greeting.
    pub sent: Vec<u8>,
    /// What went wrong.
    pub error: PeerError,
}

impl From<OpeningError> for PeerError {
    fn from(opening: OpeningError) -> Self {
        opening.error
    }
}

fn shown(got: &str) -> String {
    if got.is_empty() {
        String::new()
    } else {
        format!(": \"{got}\"")
    }
}
