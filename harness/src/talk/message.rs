//! Requests: a string, bytes, repetitions, the content of a file, or a list of these.

use std::sync::Arc;

use super::frame::Frame;
use super::template::{Bindings, Name, RenderError, Slot, Template};

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
    /// The header's bytes before the length, if they are not those of the frame.
    pub head: Option<Vec<MessagePart>>,
}

/// The placeholders in `parts`.
pub(super) fn slots_of(parts: &[MessagePart]) -> impl Iterator<Item = &Slot> {
    parts.iter().flat_map(|part| match part {
        MessagePart::Text(text) | MessagePart::Repeat { text, .. } => text.slots().collect(),
        MessagePart::Bytes(_) => Vec::new(),
    })
}

/// Appends the parts with their placeholders filled in.
pub(super) fn render_parts(
    parts: &[MessagePart],
    bindings: &Bindings,
    out: &mut Vec<u8>,
) -> Result<(), RenderError> {
    for part in parts {
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

impl Message {
    pub(crate) fn slots(&self) -> impl Iterator<Item = &Slot> {
        slots_of(self.head.as_deref().unwrap_or_default()).chain(slots_of(&self.parts))
    }

    /// Whether the message contains the payload itself (its length alone does not count).
    pub fn uses_payload(&self) -> bool {
        self.contains(&Name::Payload)
    }

    /// Whether the message contains the payload's length.
    pub fn announces_payload(&self) -> bool {
        self.slots()
            .any(|slot| slot.name == Name::Payload && !slot.is_value())
    }

    /// Whether the message contains the token.
    pub fn uses_token(&self) -> bool {
        self.contains(&Name::Tok)
    }

    fn contains(&self, name: &Name) -> bool {
        self.slots()
            .any(|slot| slot.name == *name && slot.is_value())
    }

    /// Appends the bytes to send, including what `frame` adds to the body.
    ///
    /// # Errors
    /// A name has no value, or a length does not fit into its field.
    pub fn render(
        &self,
        frame: &Frame,
        bindings: &Bindings,
        out: &mut Vec<u8>,
    ) -> Result<(), RenderError> {
        if self.raw || !frame.adds_to_body() {
            return render_parts(&self.parts, bindings, out);
        }
        let mut body = Vec::new();
        render_parts(&self.parts, bindings, &mut body)?;
        let mut head = None;
        if let Some(parts) = &self.head {
            render_parts(parts, bindings, head.insert(Vec::new()))?;
        }
        frame.enclose(head.as_deref(), &body, bindings.mask, out)
    }
}
