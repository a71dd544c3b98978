//! Messages that a server may send without a request, and the answers to them.

use super::Talk;
use super::frame::Frame;
use super::message::Message;
use super::pattern::Pattern;
use super::template::{Bindings, RenderError};

/// A message without a request. It is removed from the stream before replies are compared.
#[derive(Debug, Clone)]
pub struct Push {
    /// Its place in the file: `talk.push[0]`.
    pub label: String,
    /// How the message is recognized: with what its frame adds to it, or without.
    pub matches: Pattern,
    /// How the message ends, if not as the talk's replies do.
    pub frame: Option<Frame>,
    /// The answer, if one is expected.
    pub reply: Option<Message>,
}

impl Push {
    /// Whether this message of `frame`, header included, is the push.
    pub fn is_match(&self, frame: &Frame, message: &[u8]) -> bool {
        let body = frame.body(message);
        self.matches.is_match(&body) || body != message && self.matches.is_match(message)
    }

    /// Whether these bytes may be the beginning of the push.
    pub(super) fn may_begin_with(&self, bytes: &[u8]) -> bool {
        match &self.matches {
            Pattern::Exact(exact) => {
                let adds = self.frame.as_ref().is_some_and(Frame::adds_to_body);
                adds || exact.starts_with(bytes)
            }
            Pattern::Start(_) | Pattern::Regex(_) => true,
        }
    }

    /// The bytes of the answer to this message of `frame`, if one is expected. The named groups of the regex that
    /// recognizes the message are values of the answer.
    ///
    /// # Errors
    /// A name has no value, or a length does not fit into its field.
    pub fn answer(
        &self,
        talk: &Talk,
        message: &[u8],
        bindings: Bindings,
    ) -> Result<Option<Vec<u8>>, RenderError> {
        let Some(reply) = &self.reply else {
            return Ok(None);
        };
        let mut bindings = bindings;
        let body = self.frame(talk).body(message);
        let groups = self.matches.groups(&body);
        let groups = groups.or_else(|| self.matches.groups(message));
        bindings.values.extend(groups.unwrap_or_default());
        let mut out = Vec::new();
        reply.render(&talk.request, &bindings, &mut out)?;
        Ok(Some(out))
    }

    /// How the message ends.
    pub fn frame<'a>(&'a self, talk: &'a Talk) -> &'a Frame {
        self.frame.as_ref().unwrap_or(&talk.reply)
    }
}
