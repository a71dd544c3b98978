//! Expectations of replies, before and after filling in their placeholders.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::regex_template::{RegexTemplate, RenderedRegex};
use super::template::{Bindings, Form, Name, RenderError, Slot, Template};
use crate::text::escape;
use crate::text::escape::escape_regex;

/// Maximum number of characters of a text quoted in a message.
const SHOWN_CHARS: usize = 80;

/// An expectation as written in the file.
#[derive(Debug, Clone)]
pub enum Expect {
    /// The reply is exactly this text.
    Exact(Template),
    /// The reply is exactly these bytes.
    Bytes(Vec<u8>),
    /// The regex matches somewhere in the reply; it is anchored only if written so.
    Regex(Arc<RegexTemplate>),
    /// The text does not occur in the reply, or the regex does not match.
    Not(Box<Expect>),
    /// The server closes without sending anything.
    Eof,
}

impl Expect {
    pub(crate) fn slots(&self) -> Vec<&Slot> {
        match self {
            Self::Exact(template) => template.slots().collect(),
            Self::Regex(regex) => regex.slots().collect(),
            Self::Not(inner) => inner.slots(),
            Self::Bytes(_) | Self::Eof => Vec::new(),
        }
    }

    /// Whether a match proves that the reply belongs to its request: the expectation contains the
    /// token.
    pub fn contains_token(&self) -> bool {
        !matches!(self, Self::Not(_))
            && self
                .slots()
                .iter()
                .any(|slot| slot.name == Name::Tok && slot.form == Form::Plain)
    }

    /// Names of regex groups that a match captures for later turns.
    pub fn groups(&self) -> Vec<String> {
        match self {
            Self::Regex(regex) => regex.groups().map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }

    /// Fills in the placeholders.
    pub fn render(&self, bindings: &Bindings) -> Result<Expectation, RenderError> {
        Ok(match self {
            Self::Exact(template) => {
                let mut exact = Vec::new();
                template.render(bindings, &mut exact)?;
                Expectation::Exact(exact)
            }
            Self::Bytes(bytes) => Expectation::Exact(bytes.clone()),
            Self::Regex(regex) => Expectation::Regex(regex.render(bindings)?),
            Self::Not(inner) => Expectation::Not(Box::new(inner.render(bindings)?)),
            Self::Eof => Expectation::Eof,
        })
    }
}

/// An expectation with its placeholders filled in.
#[derive(Debug, Clone)]
pub enum Expectation {
    /// See [`Expect::Exact`] and [`Expect::Bytes`].
    Exact(Vec<u8>),
    /// See [`Expect::Regex`].
    Regex(RenderedRegex),
    /// See [`Expect::Not`].
    Not(Box<Expectation>),
    /// See [`Expect::Eof`].
    Eof,
}

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
    fn quoting(reply: &[u8], expected: String, actual: String) -> Self {
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

impl Expectation {
    /// Judges the bytes so far of a reply without a frame (`frame = "none"`).
    ///
    /// `at_eof` means that the server has closed; the result is then never [`Judgement::Partial`].
    /// A `not` is met only at the end, since a later byte may violate it.
    pub fn judge(&self, reply: &[u8], at_eof: bool) -> Judgement {
        match self {
            Self::Exact(exact) => judge_exact(exact, reply, at_eof),
            Self::Regex(regex) => match regex.find(reply) {
                Ok(Some(groups)) => Judgement::Match(groups),
                Ok(None) if at_eof => Judgement::Mismatch(self.but_got(reply)),
                Ok(None) => Judgement::Partial,
                Err(why) => Judgement::Mismatch(self.too_large(&why)),
            },
            Self::Not(inner) => match inner.occurs_in(reply) {
                Err(why) => Judgement::Mismatch(self.too_large(&why)),
                Ok(true) => Judgement::Mismatch(self.but_got(reply)),
                Ok(false) if at_eof => Judgement::Match(BTreeMap::new()),
                Ok(false) => Judgement::Partial,
            },
            Self::Eof if !reply.is_empty() => Judgement::Mismatch(self.but_got(reply)),
            Self::Eof if at_eof => Judgement::Match(BTreeMap::new()),
            Self::Eof => Judgement::Partial,
        }
    }

    /// Judges a whole message cut out of the stream by its frame. Never returns
    /// [`Judgement::Partial`].
    pub fn judge_message(&self, body: &[u8]) -> Judgement {
        match self {
            Self::Eof => Judgement::Mismatch(self.but_got(body)),
            _ => self.judge(body, true),
        }
    }

    /// Whether only the end of the stream can meet the expectation.
    pub fn needs_eof(&self) -> bool {
        matches!(self, Self::Eof)
    }

    /// A short description, escaped.
    pub fn describe(&self) -> String {
        match self {
            Self::Exact(exact) => format!("\"{}\"", escape(exact, SHOWN_CHARS)),
            Self::Regex(regex) => format!("a {}", matching(regex)),
            Self::Not(inner) => match &**inner {
                Self::Exact(text) => {
                    format!("nothing that contains \"{}\"", escape(text, SHOWN_CHARS))
                }
                Self::Regex(regex) => format!("no {}", matching(regex)),
                other => format!("anything but {}", other.describe()),
            },
            Self::Eof => "the end of the stream".to_owned(),
        }
    }

    fn but_got(&self, reply: &[u8]) -> Mismatch {
        let got = if reply.is_empty() {
            "nothing".to_owned()
        } else {
            format!("\"{}\"", escape(reply, SHOWN_CHARS))
        };
        Mismatch::quoting(reply, self.describe(), got)
    }

    fn too_large(&self, why: &str) -> Mismatch {
        let advice = format!(
            "a reply that cannot be compared: the regex with its values filled in does not compile ({why}); expect an exact text instead"
        );
        Mismatch::new(self.describe(), advice)
    }

    /// For `not`: an exact text may occur anywhere.
    fn occurs_in(&self, reply: &[u8]) -> Result<bool, String> {
        match self {
            Self::Exact(text) => Ok(memchr::memmem::find(reply, text).is_some()),
            Self::Regex(regex) => Ok(regex.find(reply)?.is_some()),
            Self::Not(inner) => Ok(!inner.occurs_in(reply)?),
            Self::Eof => Ok(reply.is_empty()),
        }
    }
}

fn matching(regex: &RenderedRegex) -> String {
    format!("match of /{}/", escape_regex(&regex.shown(), SHOWN_CHARS))
}

fn judge_exact(exact: &[u8], reply: &[u8], at_eof: bool) -> Judgement {
    if reply == exact {
        return Judgement::Match(BTreeMap::new());
    }
    if exact.starts_with(reply) && !at_eof {
        return Judgement::Partial;
    }
    Judgement::Mismatch(difference(exact, reply))
}

/// Describes where and how two texts differ.
fn difference(exact: &[u8], reply: &[u8]) -> Mismatch {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> Expectation {
        Expectation::Exact(text.as_bytes().to_vec())
    }

    fn regex(source: &str) -> Expectation {
        let template = Arc::new(RegexTemplate::parse(source).unwrap());
        let bindings = Bindings {
            tok: "abcdefghijkl".to_owned(),
            ..Bindings::default()
        };
        Expectation::Regex(template.render(&bindings).unwrap())
    }

    fn is_match(judgement: &Judgement) -> bool {
        matches!(judgement, Judgement::Match(_))
    }

    fn mismatch(judgement: Judgement) -> String {
        match judgement {
            Judgement::Mismatch(mismatch) => mismatch.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn exact_texts() {
        let ok = exact("ok, 问题");
        let bytes = "ok, 问题".as_bytes();
        for end in 0..bytes.len() {
            assert_eq!(ok.judge(&bytes[..end], false), Judgement::Partial);
            assert!(mismatch(ok.judge(&bytes[..end], true)).contains("got"));
        }
        assert!(is_match(&ok.judge(bytes, false)));
        assert!(mismatch(ok.judge(b"no", false)).contains("byte 0"));
        assert!(mismatch(exact("a").judge(b"ab", false)).contains("1 bytes more"));
        let why = mismatch(
            exact(&"x".repeat(100)).judge(&[b"x".repeat(90), b"y".to_vec()].concat(), false),
        );
        assert!(why.contains("at byte 90"), "{why}");
    }

    #[test]
    fn regexes() {
        let id = regex(r"^id=(?P<id>\d+)\n");
        assert_eq!(id.judge(b"id=4", false), Judgement::Partial);
        let Judgement::Match(groups) = id.judge(b"id=42\n", false) else {
            panic!("no match")
        };
        assert_eq!(groups["id"], b"42");
        assert!(mismatch(id.judge(b"\x1b[31m", true)).contains("\\x1b[31m"));
        assert!(regex("^{tok}").describe().contains("abcdefghijkl"));
    }

    #[test]
    fn nots_and_ends() {
        let not = Expectation::Not(Box::new(regex("^ok")));
        assert_eq!(not.judge(b"o", false), Judgement::Partial);
        assert!(is_match(&not.judge(b"error", true)));
        assert!(is_match(&not.judge_message(b"error")));
        assert!(is_match(&not.judge(b"", true)));
        assert!(mismatch(not.judge(b"ok", false)).contains("no match of /^ok/"));
        let not = Expectation::Not(Box::new(exact("ok")));
        assert!(mismatch(not.judge(b"it is ok", false)).contains("nothing that contains"));

        assert_eq!(Expectation::Eof.judge(b"", false), Judgement::Partial);
        assert!(is_match(&Expectation::Eof.judge(b"", true)));
        mismatch(Expectation::Eof.judge(b"x", false));
        mismatch(Expectation::Eof.judge_message(b"x"));
    }
}
