//! One exchange of a talk, and the turn that results from filling in its placeholders.

use super::Talk;
use super::expect::{Expect, Expectation, Judgement};
use super::frame::Frame;
use super::message::Message;
use super::template::{Bindings, Name, RenderError};

/// One request and the expected reply.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Its place in the file, for messages and evidence: `talk.turn[0]`.
    pub label: String,
    /// The request; `None` for a greeting, where the server speaks first.
    pub send: Option<Message>,
    /// The expected reply.
    pub expect: Expect,
    /// How this reply ends, if not as the talk says.
    pub frame: Option<Frame>,
    /// Line of the file on which it starts, from 1.
    pub line: usize,
}

/// An exchange with its placeholders filled in.
#[derive(Debug, Clone)]
pub struct Turn {
    /// See [`Exchange::label`].
    pub label: String,
    /// The token in the request.
    pub token: String,
    /// The bytes to send, including a length header. Empty if the server speaks first.
    pub request: Vec<u8>,
    /// The expected reply.
    pub expect: Expectation,
    /// How the reply ends.
    pub frame: Frame,
}

impl Turn {
    /// Judges a whole message as cut out of the stream by its frame, including a length header.
    pub fn judge_message(&self, message: &[u8]) -> Judgement {
        self.expect.judge_message(self.frame.body(message))
    }
}

impl Exchange {
    /// Whether the request contains the payload, so its size and bytes can be varied.
    pub fn uses_payload(&self) -> bool {
        self.send.as_ref().is_some_and(Message::uses_payload)
    }

    /// Whether the request contains the token.
    pub fn uses_token(&self) -> bool {
        self.send.as_ref().is_some_and(Message::uses_token)
    }

    /// Whether a matching reply must belong to this request: the expectation contains the token.
    pub fn proves_order(&self) -> bool {
        self.expect.contains_token()
    }

    /// Whether the expectation requires the payload in the reply.
    pub fn expects_payload(&self) -> bool {
        let slots = self.expect.slots();
        !matches!(self.expect, Expect::Not(_))
            && slots.iter().any(|slot| slot.name == Name::Payload)
    }

    /// Names that an earlier exchange or the target must provide (such as `port`).
    pub fn needs(&self) -> Vec<String> {
        let sent = self.send.iter().flat_map(Message::slots);
        let mut names: Vec<String> = sent
            .chain(self.expect.slots())
            .filter(|slot| matches!(slot.name, Name::Other(_)))
            .map(|slot| slot.name.as_str().to_owned())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// How the reply ends: its own frame, or the talk's.
    pub fn reply_frame<'a>(&'a self, talk: &'a Talk) -> &'a Frame {
        self.frame.as_ref().unwrap_or(&talk.reply)
    }

    /// Fills in the placeholders.
    ///
    /// # Errors
    /// A name has no value, or a length does not fit into its field.
    pub fn render(&self, talk: &Talk, bindings: &Bindings) -> Result<Turn, RenderError> {
        let mut request = Vec::new();
        self.render_request(talk, bindings, &mut request)?;
        Ok(Turn {
            label: self.label.clone(),
            token: bindings.tok.clone(),
            request,
            expect: self.expect.render(bindings)?,
            frame: self.reply_frame(talk).clone(),
        })
    }

    /// Appends only the request bytes, for callers that reuse a buffer.
    ///
    /// # Errors
    /// As [`Exchange::render`].
    pub fn render_request(
        &self,
        talk: &Talk,
        bindings: &Bindings,
        out: &mut Vec<u8>,
    ) -> Result<(), RenderError> {
        match &self.send {
            Some(message) => message.render(&talk.request, bindings, out),
            None => Ok(()),
        }
    }

    /// Whether neither the request nor the reply would end early because of `payload`.
    /// Conservative: a doubtful payload is not safe.
    pub fn payload_is_safe(&self, talk: &Talk, payload: &[u8]) -> bool {
        let announced = self.send.as_ref().is_some_and(Message::announces_payload);
        let reply = self.reply_frame(talk);
        talk.request.carries(payload, announced)
            && (!self.expects_payload() || reply.carries(payload, announced))
    }
}
