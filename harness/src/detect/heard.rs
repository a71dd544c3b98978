//! What was said to the server in a probe, and what came back.

use std::time::Duration;

use crate::session::ConnectionEnd;
use crate::text::escape;

/// The most characters of a request or reply that a message quotes.
const CHARS_QUOTED: usize = 60;

/// What came back in a raw probe.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// What was sent; empty if tcprove waited for a greeting.
    pub sent: Vec<u8>,
    /// The word in it that occurs nowhere else.
    pub token: String,
    /// What came back.
    pub got: Vec<u8>,
    /// How the connection ended.
    pub end: ConnectionEnd,
    /// How long the first byte was waited for.
    pub waited: Duration,
    /// How long the server took to answer or to close.
    pub took: Duration,
    /// How the server ended, if this probe ended it.
    pub died: Option<String>,
    /// Why nothing could be sent, if the connection or the opening failed.
    pub failed: Option<String>,
}

impl Heard {
    /// Whether the server said anything.
    pub(crate) fn is_answered(&self) -> bool {
        !self.got.is_empty()
    }

    /// Whether the server sent back what was sent, perhaps in another case.
    pub(crate) fn is_echo(&self) -> bool {
        !self.sent.is_empty() && self.got.eq_ignore_ascii_case(&self.sent)
    }

    /// Whether the server closed the connection.
    pub(crate) fn is_closed(&self) -> bool {
        self.end != ConnectionEnd::StillOpen
    }

    /// Whether the server answered what was sent, or closed because of it, and lives.
    pub(crate) fn is_reaction(&self) -> bool {
        !self.sent.is_empty() && self.died.is_none() && (self.is_answered() || self.is_closed())
    }

    /// Whether the server's words contain those of the probe.
    pub(crate) fn repeats_its_token(&self) -> bool {
        memchr::memmem::find(&self.got.to_ascii_lowercase(), self.token.as_bytes()).is_some()
    }

    /// What stays the same when the server reacts in the same way again: clocks and counters do not count.
    pub(crate) fn shape(&self) -> (Vec<u8>, ConnectionEnd) {
        let text = self.got.iter().filter(|byte| !byte.is_ascii_digit());
        (text.copied().collect(), self.end)
    }

    /// What was sent, as a phrase.
    pub(crate) fn request(&self) -> String {
        if self.sent.is_empty() {
            "connected and sent nothing".to_owned()
        } else {
            format!("sent {}", quoted(&self.sent))
        }
    }

    /// What came, as a phrase.
    pub(crate) fn answer(&self) -> String {
        if let Some(failed) = &self.failed {
            return failed.clone();
        }
        let mut text = match (self.got.is_empty(), self.end) {
            (true, ConnectionEnd::StillOpen) => {
                format!("nothing came within {:.1} s", self.waited.as_secs_f64())
            }
            (true, ConnectionEnd::Eof) => "the server closed the connection".to_owned(),
            (true, ConnectionEnd::Reset) => "the server reset the connection".to_owned(),
            (false, ConnectionEnd::StillOpen) => format!("got {}", quoted(&self.got)),
            (false, ConnectionEnd::Eof) => format!("got {} and a close", quoted(&self.got)),
            (false, ConnectionEnd::Reset) => format!("got {} and a reset", quoted(&self.got)),
        };
        if let Some(died) = &self.died {
            text.push_str("; the server ");
            text.push_str(died);
        }
        text
    }
}

/// Bytes as a quoted and shortened text.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", escape(bytes, CHARS_QUOTED))
}
