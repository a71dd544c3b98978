//! What a server may send unasked, and the answer if one is due.

use super::frame::Frame;
use super::message::Message;
use super::pattern::Pattern;
use super::template::{Bindings, RenderError};

/// A message nobody asked for. It is taken out of the stream before replies are compared.
#[derive(Debug, Clone)]
pub struct Push {
    /// Where it stands: `talk.push[0]`.
    pub label: String,
    /// How it is recognized: an exact message or a regex, without placeholders.
    pub matches: Pattern,
    /// What is due in return.
    pub reply: Option<Message>,
}

impl Push {
    /// The bytes of the answer, if one is due.
    ///
    /// # Errors
    /// A name that nothing is bound to, or a length that does not fit its field.
    pub fn answer(
        &self,
        request: &Frame,
        bindings: &Bindings,
    ) -> Result<Option<Vec<u8>>, RenderError> {
        let Some(reply) = &self.reply else {
            return Ok(None);
        };
        let mut out = Vec::new();
        reply.render(request, bindings, &mut out)?;
        Ok(Some(out))
    }
}
