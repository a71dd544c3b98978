//! Expectations of replies as written in the file.

use std::sync::Arc;

use super::expectation::Expectation;
use super::json::ExpectedJson;
use super::message::{MessagePart, render_parts, slots_of};
use super::regex_template::RegexTemplate;
use super::template::{Bindings, Name, RenderError, Slot, Template};

/// An expectation as written in the file.
#[derive(Debug, Clone)]
pub enum Expect {
    /// The reply is exactly these parts, one after the other.
    Exact(Vec<MessagePart>),
    /// The regex matches somewhere in the reply; it is anchored only if written so.
    Regex(Arc<RegexTemplate>),
    /// The text does not occur in the reply, or the regex does not match.
    Not(Box<Expect>),
    /// The reply is this JSON value, however it is written.
    Json(Template),
    /// The inner expectation is compared with the whole message, including what the frame adds to it.
    Whole(Box<Expect>),
    /// There is no reply.
    NoReply,
    /// The server closes without sending anything.
    Eof,
}

impl Expect {
    /// Exactly this text.
    pub fn text(text: Template) -> Self {
        Self::Exact(vec![MessagePart::Text(text)])
    }

    pub(crate) fn slots(&self) -> Vec<&Slot> {
        match self {
            Self::Exact(parts) => slots_of(parts).collect(),
            Self::Regex(regex) => regex.slots().collect(),
            Self::Json(template) => template.slots().collect(),
            Self::Not(inner) | Self::Whole(inner) => inner.slots(),
            Self::NoReply | Self::Eof => Vec::new(),
        }
    }

    /// Whether a reply that meets it may contain none of its text: the expectation is negated.
    fn is_negated(&self) -> bool {
        match self {
            Self::Not(_) => true,
            Self::Whole(inner) => inner.is_negated(),
            _ => false,
        }
    }

    /// Whether a match proves that the reply belongs to its request: the expectation contains the
    /// token.
    pub fn contains_token(&self) -> bool {
        self.requires(&Name::Tok)
    }

    /// Whether a reply that meets the expectation contains the value of `name`.
    pub(super) fn requires(&self, name: &Name) -> bool {
        let slots = self.slots();
        !self.is_negated()
            && slots
                .iter()
                .any(|slot| slot.name == *name && slot.is_value())
    }

    /// Whether there is a reply at all.
    pub fn has_reply(&self) -> bool {
        !matches!(self, Self::NoReply)
    }

    /// Names of regex groups that a match captures for later turns.
    pub fn groups(&self) -> Vec<String> {
        match self {
            Self::Regex(regex) => regex.groups().map(str::to_owned).collect(),
            Self::Whole(inner) => inner.groups(),
            _ => Vec::new(),
        }
    }

    /// Fills in the placeholders.
    ///
    /// # Errors
    /// A name has no value, or the filled-in JSON is none.
    pub fn render(&self, bindings: &Bindings) -> Result<Expectation, RenderError> {
        Ok(match self {
            Self::Exact(parts) => {
                let mut exact = Vec::new();
                render_parts(parts, bindings, &mut exact)?;
                Expectation::Exact(exact)
            }
            Self::Regex(regex) => Expectation::Regex(regex.render(bindings)?),
            Self::Not(inner) => Expectation::Not(Box::new(inner.render(bindings)?)),
            Self::Json(template) => {
                let mut text = Vec::new();
                template.render(bindings, &mut text)?;
                Expectation::Json(ExpectedJson::parse(&text).map_err(RenderError::Json)?)
            }
            Self::Whole(inner) => Expectation::Whole(Box::new(inner.render(bindings)?)),
            Self::NoReply => Expectation::NoReply,
            Self::Eof => Expectation::Eof,
        })
    }
}
