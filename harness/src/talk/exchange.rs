//! One exchange of a talk, and the turn that results from filling in its placeholders.

use super::expect::Expect;
use super::expectation::Expectation;
use super::frame::Frame;
use super::judgement::Judgement;
use super::message::Message;
use super::template::{Bindings, Name, RenderError, Slot};
use super::{Close, Talk};

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
    /// It is a step of the opening, after which the connection goes on.
    pub opens: bool,
    /// Its name, by which other turns refer to it.
    pub name: Option<String>,
    /// When it can be said.
    pub order: Order,
    /// Line of the file on which it starts, from 1.
    pub line: usize,
}

/// The place of a turn among the others, as the file states it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Order {
    /// Names of the turns that the same connection has carried before.
    pub after: Vec<String>,
    /// A connection carries it at most once.
    pub once: bool,
    /// The server closes the connection after it.
    pub last: bool,
}

impl Order {
    /// Whether the turn can be said at any time.
    pub fn is_free(&self) -> bool {
        *self == Self::default()
    }
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
    /// The values of `{seq}` and `{n}`.
    pub numbers: (u64, u64),
    /// The server closes the connection after the reply.
    pub closes: bool,
    /// The client closes its side after the request.
    pub ends_stream: bool,
}

impl Turn {
    /// Judges a whole message as cut out of the stream by its frame, including a length header.
    pub fn judge_message(&self, message: &[u8]) -> Judgement {
        self.expect.judge_framed(&self.frame, message)
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

    /// The placeholders of the request and the expectation.
    pub(crate) fn slots(&self) -> impl Iterator<Item = &Slot> {
        let sent = self.send.iter().flat_map(Message::slots);
        sent.chain(self.expect.slots())
    }

    /// Whether a matching reply must belong to this request: the expectation contains the token.
    pub fn proves_order(&self) -> bool {
        self.expect.contains_token()
    }

    /// Whether the expectation requires the payload in the reply.
    pub fn expects_payload(&self) -> bool {
        self.expect.requires(&Name::Payload)
    }

    /// Names that an earlier exchange or the target must provide (such as `port`).
    pub fn needs(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .slots()
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
            numbers: (bindings.seq, bindings.n),
            closes: !self.opens && (talk.close == Close::ServerAfterReply || self.order.last),
            ends_stream: !self.opens && self.send.is_some() && talk.request == Frame::Eof,
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
        self.payload_trouble(talk, payload).is_none()
    }

    /// Why a message of this exchange cannot contain `payload`, for the user; `None` if it can.
    pub fn payload_trouble(&self, talk: &Talk, payload: &[u8]) -> Option<String> {
        let announced = self.send.as_ref().is_some_and(Message::announces_payload);
        let reply = self.reply_frame(talk);
        let sent = self.send.iter().flat_map(Message::slots);
        let expected = self.expect.slots();
        let carried = carries(&talk.request, sent, payload, announced).and_then(|()| {
            match self.expects_payload() {
                true => carries(reply, expected, payload, announced),
                false => Ok(()),
            }
        });
        let why = match carried.err()? {
            Trouble::NotText => {
                "writes the payload as JSON, which is UTF-8 text and cannot contain these bytes"
            }
            Trouble::Encoding => "has no room for a payload of this length",
            Trouble::Ends => {
                "would end early: its frame takes these bytes for the end of a message"
            }
        };
        Some(format!("{} {why}", self.label))
    }
}

/// Why a message cannot contain a payload.
enum Trouble {
    /// It is written as JSON, and no text.
    NotText,
    /// It cannot be written otherwise.
    Encoding,
    /// The message would end in it.
    Ends,
}

/// Whether a message of `frame` can contain the payload in each form in which `slots` write it.
fn carries<'a>(
    frame: &Frame,
    slots: impl IntoIterator<Item = &'a Slot>,
    payload: &[u8],
    announced: bool,
) -> Result<(), Trouble> {
    let slots = slots.into_iter();
    let mut values = slots.filter(|slot| slot.name == Name::Payload && slot.is_value());
    values.try_for_each(|slot| {
        let mut written = Vec::new();
        match slot.encode(payload, &mut written) {
            Err(RenderError::NotText(_)) => Err(Trouble::NotText),
            Err(_) => Err(Trouble::Encoding),
            Ok(()) if frame.carries(&written, announced) => Ok(()),
            Ok(()) => Err(Trouble::Ends),
        }
    })
}
