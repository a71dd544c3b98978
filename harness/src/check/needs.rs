//! What must be there for a check to apply; where it is not, the check is skipped and says why.

use crate::process::Server;
use crate::subject::Promise;
use crate::talk::{Frame, Talk};

/// One condition of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Requests and replies have a frame: it can be known where a message ends.
    Frame,
    /// A connection carries more than one turn.
    ManyTurns,
    /// `promise.pipelining`.
    Pipelining,
    /// `promise.max_message`.
    MaxMessage,
    /// A turn with `{payload}`.
    Payload,
    /// A turn whose expectation holds its token or payload: replies can be told apart.
    Told,
    /// Requests announce their length in a binary field.
    LengthField,
    /// `[[talk.bad]]` says what is refused.
    Bad,
    /// tcprove started the server itself.
    Spawned,
    /// The server's process is known: its CPU, memory and descriptors can be read.
    Process,
    /// The server serves more than one client: asked of every check that does not say
    /// [`Need::SingleClient`].
    ServesAgain,
    /// Nothing: the check can be put to a server that serves one client and ends.
    SingleClient,
}

impl Need {
    /// Why the check does not apply, or `None` if the need is met.
    pub fn unmet(
        self,
        talk: &Talk,
        promise: &Promise,
        server: &Server,
        serves_again: bool,
    ) -> Option<String> {
        let reason = match self {
            Self::Frame if talk.request.is_delimited() && talk.reply.is_delimited() => return None,
            Self::Frame => "the talk has no frame: where a message ends cannot be known",
            Self::ManyTurns if talk.carries_many_turns() => return None,
            Self::ManyTurns => "the server closes after one reply",
            Self::Pipelining if promise.pipelining == Some(true) => return None,
            Self::Pipelining => "needs promise.pipelining = true",
            Self::MaxMessage if promise.max_message.is_some() => return None,
            Self::MaxMessage => "needs promise.max_message",
            Self::Payload if talk.turns.iter().any(|turn| turn.uses_payload()) => return None,
            Self::Payload => "no [[talk.turn]] sends {payload}",
            Self::Told if talk.turns[0].proves_order() => return None,
            Self::Told => {
                "the first [[talk.turn]] does not expect its {tok}: replies cannot be told apart"
            }
            Self::LengthField if matches!(talk.request, Frame::Len(_)) => return None,
            Self::LengthField => "requests have no length field",
            Self::Bad if !talk.bad.is_empty() => return None,
            Self::Bad => "needs a [[talk.bad]]",
            Self::Spawned if !server.is_attached() => return None,
            Self::Spawned => "tcprove did not start this server",
            Self::Process if server.pid().is_some() => return None,
            Self::Process => "the server's process is not known: give --pid",
            Self::SingleClient => return None,
            Self::ServesAgain if serves_again => return None,
            Self::ServesAgain => "the server serves a single client: see serves-again",
        };
        Some(reason.to_owned())
    }
}
