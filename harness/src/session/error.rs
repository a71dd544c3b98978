//! What a client can meet, told apart.

use crate::talk::{Mismatch, RenderError};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Why an operation of a [`Session`](super::Session) did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// Nobody listens.
    #[error("connection refused by {addr}")]
    Refused {
        /// Where we connected to.
        addr: SocketAddr,
    },
    /// The connect got no answer in time.
    #[error("connecting to {addr} got no answer in {limit:?}")]
    ConnectTimedOut {
        /// Where we connected to.
        addr: SocketAddr,
        /// The deadline.
        limit: Duration,
    },
    /// RST where something else was due.
    #[error(
        "the connection was reset after {after} bytes of the reply{}",
        shown(got)
    )]
    Reset {
        /// Bytes of the reply that had come.
        after: usize,
        /// Those bytes, escaped.
        got: String,
    },
    /// FIN where a reply was due.
    #[error(
        "the server closed the connection after {after} bytes of the reply{}",
        shown(got)
    )]
    Eof {
        /// Bytes of the reply that had come.
        after: usize,
        /// Those bytes, escaped.
        got: String,
    },
    /// No (whole) reply in time.
    #[error(
        "no complete reply within {limit:?} ({after} bytes came{})",
        shown(got)
    )]
    Silent {
        /// The deadline.
        limit: Duration,
        /// Bytes of the reply that had come.
        after: usize,
        /// Those bytes, escaped.
        got: String,
    },
    /// A whole reply that is not the one expected.
    #[error("wrong reply: {mismatch}; got \"{reply}\"")]
    Wrong {
        /// What was expected, and where the reply differs.
        mismatch: Mismatch,
        /// The whole reply, escaped.
        reply: String,
    },
    /// The server did not take what we sent.
    #[error("the server took only {sent} of {of} bytes within {limit:?}")]
    NotTaken {
        /// Bytes taken.
        sent: usize,
        /// Bytes to send.
        of: usize,
        /// The deadline.
        limit: Duration,
    },
    /// The server left what we sent in its receive queue.
    #[error("the server left {queued} bytes unread for {limit:?}")]
    NotRead {
        /// Bytes in its queue.
        queued: usize,
        /// The deadline.
        limit: Duration,
    },
    /// A reply without an end.
    #[error("the reply has no end: {bytes} bytes and counting")]
    Endless {
        /// Bytes so far.
        bytes: usize,
    },
    /// The kernel gives no evidence that the stimulus happened.
    #[error("unproven: {0}")]
    Unproven(String),
    /// The talk cannot be rendered here.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Our own side failed: descriptors, ports, memory.
    #[error("on our own side: {0}")]
    Harness(io::Error),
}

/// A longer reply says no more than the place where it differs.
const REPLY_CHARS_QUOTED: usize = 160;

impl PeerError {
    /// What the server should have done, and what it did instead. `None` for what is not the server's
    /// doing: an error on our own side, a talk that cannot be rendered, a stimulus without proof.
    pub fn mismatch(&self) -> Option<Mismatch> {
        let expected = match self {
            Self::Refused { .. } | Self::ConnectTimedOut { .. } => "the connection is accepted",
            Self::Reset { .. } | Self::Eof { .. } | Self::Silent { .. } => "the whole reply",
            Self::NotTaken { .. } | Self::NotRead { .. } => "the server reads what it is sent",
            Self::Endless { .. } => "a reply with an end",
            Self::Wrong { mismatch, reply } => return Some(with_reply(mismatch, reply)),
            Self::Unproven(_) | Self::Harness(_) | Self::Render(_) => return None,
        };
        Some(Mismatch::new(expected, self.to_string()))
    }

    /// Whether the connection was not accepted.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::ConnectTimedOut { .. })
    }

    /// Sorts the error of a read or a write.
    pub(super) fn from_io(error: io::Error, after: usize, got: &str) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
        match error.kind() {
            ConnectionReset | BrokenPipe | ConnectionAborted | NotConnected => Self::Reset {
                after,
                got: got.to_owned(),
            },
            _ => Self::Harness(error),
        }
    }

    /// Sorts the error of a connect.
    pub(super) fn from_connect(error: io::Error, addr: SocketAddr) -> Self {
        use io::ErrorKind::{ConnectionRefused, ConnectionReset, TimedOut};
        match error.kind() {
            ConnectionRefused => Self::Refused { addr },
            ConnectionReset => Self::Reset {
                after: 0,
                got: String::new(),
            },
            TimedOut => Self::ConnectTimedOut {
                addr,
                limit: Duration::ZERO,
            },
            _ => Self::Harness(error),
        }
    }
}

/// The mismatch with the whole reply beside it, unless it is quoted already or too long to help.
fn with_reply(mismatch: &Mismatch, reply: &str) -> Mismatch {
    let quoted = reply.is_empty() || mismatch.actual.contains(&format!("\"{reply}\""));
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
