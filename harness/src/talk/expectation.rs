//! Expectations of replies with their placeholders filled in.

use std::collections::BTreeMap;

use super::frame::Frame;
use super::json::ExpectedJson;
use super::judgement::{Judgement, Mismatch, SHOWN_CHARS, difference};
use super::regex_template::RenderedRegex;
use crate::text::escape;
use crate::text::escape::escape_regex;

/// An expectation with its placeholders filled in.
#[derive(Debug, Clone)]
pub enum Expectation {
    /// See [`Expect::Exact`](super::Expect::Exact).
    Exact(Vec<u8>),
    /// See [`Expect::Regex`](super::Expect::Regex).
    Regex(RenderedRegex),
    /// See [`Expect::Not`](super::Expect::Not).
    Not(Box<Expectation>),
    /// See [`Expect::Json`](super::Expect::Json).
    Json(ExpectedJson),
    /// See [`Expect::Whole`](super::Expect::Whole).
    Whole(Box<Expectation>),
    /// See [`Expect::NoReply`](super::Expect::NoReply).
    NoReply,
    /// See [`Expect::Eof`](super::Expect::Eof).
    Eof,
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
            Self::Json(json) => json.judge(reply, at_eof),
            Self::Whole(inner) => inner.judge(reply, at_eof),
            Self::NoReply if reply.is_empty() => Judgement::Match(BTreeMap::new()),
            Self::NoReply => Judgement::Mismatch(self.but_got(reply)),
            Self::Eof if !reply.is_empty() => Judgement::Mismatch(self.but_got(reply)),
            Self::Eof if at_eof => Judgement::Match(BTreeMap::new()),
            Self::Eof => Judgement::Partial,
        }
    }

    /// Judges the body of a message, as cut out of the stream by its frame. Never returns
    /// [`Judgement::Partial`].
    pub fn judge_message(&self, body: &[u8]) -> Judgement {
        match self {
            Self::Eof => Judgement::Mismatch(self.but_got(body)),
            _ => self.judge(body, true),
        }
    }

    /// Judges a message of this frame, including what the frame adds to its body. Never returns
    /// [`Judgement::Partial`].
    pub(crate) fn judge_framed(&self, frame: &Frame, message: &[u8]) -> Judgement {
        match self {
            Self::Whole(inner) => inner.judge_message(message),
            Self::Json(_) => self.judge_message(&frame.content(message)),
            _ => {
                let body = frame.body(message);
                let judged = self.judge_message(&body);
                match judged {
                    Judgement::Mismatch(mismatch) if body.is_empty() && !message.is_empty() => {
                        let actual =
                            format!("an empty message (\"{}\")", escape(message, SHOWN_CHARS));
                        Judgement::Mismatch(Mismatch { actual, ..mismatch })
                    }
                    judged => judged,
                }
            }
        }
    }

    /// The bytes of the only message of this frame that meets the expectation; `None` if there may be several.
    pub(crate) fn exact_message(&self, frame: &Frame) -> Option<Vec<u8>> {
        match self {
            Self::Exact(body) => frame.only(body),
            Self::Whole(inner) => match &**inner {
                Self::Exact(message) => Some(message.clone()),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether there is a reply at all.
    pub fn has_reply(&self) -> bool {
        !matches!(self, Self::NoReply)
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
            Self::Json(json) => json.describe(),
            Self::Whole(inner) => inner.describe(),
            Self::NoReply => "no reply".to_owned(),
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
            Self::Whole(inner) => inner.occurs_in(reply),
            Self::Json(json) => Ok(matches!(json.judge(reply, true), Judgement::Match(_))),
            Self::NoReply | Self::Eof => Ok(reply.is_empty()),
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::talk::{Bindings, RegexTemplate};

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
