//! Messages that a server may send without a request, and the answers to them.

use super::frame::Frame;
use super::message::Message;
use super::pattern::Pattern;
use super::template::{Bindings, RenderError};

/// A message without a request. It is removed from the stream before replies are compared.
#[derive(Debug, Clone)]
pub struct Push {
    /// Its place in the file: `talk.push[0]`.
    pub label: String,
    /// How the message is recognized.
    pub matches: Pattern,
    /// The answer, if one is expected.
    pub reply: Option<Message>,
}

impl Push {
    /// The bytes of the answer, if one is expected.
    ///
    /// # Errors
    /// A name has no value, or a length does not fit into its field.
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
