//! The result of comparing a reply with an expectation.

use std::collections::BTreeMap;
use std::fmt;

use crate::text::escape;

/// Maximum number of characters of a text quoted in a message.
pub(super) const SHOWN_CHARS: usize = 80;

/// The expected and the actual reply, as two phrases that fit after "expected" and "got".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What was expected, escaped.
    pub expected: String,
    /// What arrived, or where it differs, escaped.
    pub actual: String,
    /// Whether `actual` quotes the whole reply.
    pub(crate) quotes_reply: bool,
}

impl Mismatch {
    pub(crate) fn new(expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            actual: actual.into(),
            quotes_reply: false,
        }
    }

    /// A mismatch whose `actual` quotes `reply`, cut to [`SHOWN_CHARS`].
    pub(super) fn quoting(reply: &[u8], expected: String, actual: String) -> Self {
        let may_fit = reply.len() <= 4 * SHOWN_CHARS;
        Self {
            expected,
            actual,
            quotes_reply: may_fit && escape(reply, usize::MAX) == escape(reply, SHOWN_CHARS),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, got {}", self.expected, self.actual)
    }
}

/// How an expectation relates to the bytes received so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// The expectation is met. Contains the named groups of the regex, for later turns.
    Match(BTreeMap<String, Vec<u8>>),
    /// More bytes, or the end of the stream, could meet the expectation. Never returned at the end
    /// of the stream.
    Partial,
    /// The expectation is not met, whatever follows.
    Mismatch(Mismatch),
}

/// Describes where and how two texts differ.
pub(super) fn difference(exact: &[u8], reply: &[u8]) -> Mismatch {
    let expected = format!("\"{}\"", escape(exact, SHOWN_CHARS));
    let got = escape(reply, SHOWN_CHARS);
    let at = exact.iter().zip(reply).take_while(|(a, b)| a == b).count();
    let actual = if reply.is_empty() {
        "nothing".to_owned()
    } else if at == reply.len() {
        format!("only \"{got}\" ({at} of {} bytes)", exact.len())
    } else if at == exact.len() {
        let extra = escape(&reply[at..], SHOWN_CHARS);
        let actual = format!("{} bytes more: \"{extra}\"", reply.len() - at);
        return Mismatch::new(expected, actual);
    } else if at < SHOWN_CHARS / 2 {
        format!("\"{got}\" (they differ at byte {at})")
    } else {
        let (wanted, came) = (escape(&exact[at..], 40), escape(&reply[at..], 40));
        return Mismatch::new(format!("\"{wanted}\" at byte {at}"), format!("\"{came}\""));
    };
    Mismatch::quoting(reply, expected, actual)
}
