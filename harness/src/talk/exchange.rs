//! One exchange of a talk, and the turn it becomes when its placeholders are filled in.

use super::Talk;
use super::expect::{Expect, Expectation, Judgement};
use super::frame::Frame;
use super::message::Message;
use super::template::{Bindings, Name, RenderError};

/// One request and what the reply has to be.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Where it stands, for messages and evidence: `talk.turn[0]`.
    pub label: String,
    /// What is sent; `None` for a greeting, where the server speaks first.
    pub send: Option<Message>,
    /// What has to come back.
    pub expect: Expect,
    /// How the reply to this one ends, if not as the talk says.
    pub frame: Option<Frame>,
    /// The line of the file it begins in, from 1.
    pub line: usize,
}

/// An exchange with everything filled in: the bytes for the wire and what must come back.
#[derive(Debug, Clone)]
pub struct Turn {
    /// See [`Exchange::label`].
    pub label: String,
    /// The token in it.
    pub token: String,
    /// Exactly the bytes for the wire, a length header included. Empty where the server speaks first.
    pub request: Vec<u8>,
    /// What has to come back.
    pub expect: Expectation,
    /// How the reply ends.
    pub frame: Frame,
}

impl Turn {
    /// Judges a whole reply as its frame has cut it out of the stream, length header included.
    pub fn judge_message(&self, message: &[u8]) -> Judgement {
        self.expect.judge_message(self.frame.body(message))
    }
}

impl Exchange {
    /// Whether its size and bytes can be varied: the payload is in the request.
    pub fn uses_payload(&self) -> bool {
        self.send.as_ref().is_some_and(Message::uses_payload)
    }

    /// Whether the request carries the token.
    pub fn uses_token(&self) -> bool {
        self.send.as_ref().is_some_and(Message::uses_token)
    }

    /// Whether a reply that matches belongs to this very request: the token is in the expectation.
    pub fn proves_order(&self) -> bool {
        self.expect.contains_token()
    }

    /// Whether the payload has to come back for the expectation to hold.
    pub fn expects_payload(&self) -> bool {
        let slots = self.expect.slots();
        !matches!(self.expect, Expect::Not(_))
            && slots.iter().any(|slot| slot.name == Name::Payload)
    }

    /// Names that an exchange before this one has to bind, or the target has to give (`port`).
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
    /// A name that nothing is bound to, or a length that does not fit its field.
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

    /// Appends only the bytes for the wire, for callers that keep a buffer.
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

    /// Whether `payload` can stand in this request, and in its reply, without being taken for the
    /// end of a message. Conservative: a doubtful payload is not safe.
    pub fn payload_is_safe(&self, talk: &Talk, payload: &[u8]) -> bool {
        let announced = self.send.as_ref().is_some_and(Message::announces_payload);
        let reply = self.reply_frame(talk);
        talk.request.carries(payload, announced)
            && (!self.expects_payload() || reply.carries(payload, announced))
    }
}
