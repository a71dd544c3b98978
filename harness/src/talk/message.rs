//! Requests: a string, bytes, repetitions, the content of a file, or a list of these.

use std::sync::Arc;

use super::frame::Frame;
use super::template::{Bindings, Form, Name, RenderError, Slot, Template};

/// A part of a message.
#[derive(Debug, Clone)]
pub enum MessagePart {
    /// A string with placeholders.
    Text(Template),
    /// Fixed bytes: `{ hex = }` and `{ file = }`.
    Bytes(Arc<[u8]>),
    /// A repeated string.
    Repeat {
        /// What is repeated.
        text: Template,
        /// Number of repetitions.
        count: usize,
    },
}

/// A whole message.
#[derive(Debug, Clone)]
pub struct Message {
    /// In the order in which they are sent.
    pub parts: Vec<MessagePart>,
    /// Contains a `{ raw = }` or `{ raw_hex = }`: sent unchanged, without a length header.
    pub raw: bool,
}

impl Message {
    pub(crate) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.parts.iter().flat_map(|part| match part {
            MessagePart::Text(text) | MessagePart::Repeat { text, .. } => text.slots().collect(),
            MessagePart::Bytes(_) => Vec::new(),
        })
    }

    /// Whether the message contains the payload itself (its length alone does not count).
    pub fn uses_payload(&self) -> bool {
        self.slots()
            .any(|slot| slot.name == Name::Payload && slot.form == Form::Plain)
    }

    /// Whether the message contains the payload's length.
    pub fn announces_payload(&self) -> bool {
        self.slots()
            .any(|slot| slot.name == Name::Payload && slot.form != Form::Plain)
    }

    /// Whether the message contains the token.
    pub fn uses_token(&self) -> bool {
        self.slots()
            .any(|slot| slot.name == Name::Tok && slot.form == Form::Plain)
    }

    /// Appends the bytes to send, including the length header of `frame`, if it has one.
    pub fn render(
        &self,
        frame: &Frame,
        bindings: &Bindings,
        out: &mut Vec<u8>,
    ) -> Result<(), RenderError> {
        let Frame::Len(len) = frame else {
            return self.render_body(bindings, out);
        };
        if self.raw {
            return self.render_body(bindings, out);
        }
        let mut body = Vec::new();
        self.render_body(bindings, &mut body)?;
        if !len.fits(body.len()) {
            return Err(RenderError::TooLong {
                len: body.len(),
                field: len.field.to_string(),
            });
        }
        len.wrap_into(&body, out);
        Ok(())
    }

    fn render_body(&self, bindings: &Bindings, out: &mut Vec<u8>) -> Result<(), RenderError> {
        for part in &self.parts {
            match part {
                MessagePart::Text(text) => text.render(bindings, out)?,
                MessagePart::Bytes(bytes) => out.extend_from_slice(bytes),
                MessagePart::Repeat { text, count } => {
                    let mut once = Vec::new();
                    text.render(bindings, &mut once)?;
                    out.reserve(once.len().saturating_mul(*count));
                    (0..*count).for_each(|_| out.extend_from_slice(&once));
                }
            }
        }
        Ok(())
    }
}
