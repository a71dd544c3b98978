//! Conditions under which a check applies. If one is not met, the check is skipped with a reason.

use crate::process::Server;
use crate::subject::Promise;
use crate::talk::Talk;

/// A condition under which a check applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Requests and replies have a frame, so the end of a message is known.
    Frame,
    /// A connection carries more than one turn.
    ManyTurns,
    /// The first turn has a reply.
    Reply,
    /// `promise.pipelining = true`.
    Pipelining,
    /// `promise.max_message` is given.
    MaxMessage,
    /// The talk has a turn with `{payload}`.
    Payload,
    /// The first turn expects its own token, so replies can be told apart.
    DistinctReplies,
    /// Requests announce their length in a header.
    LengthField,
    /// tcprove started the server.
    Spawned,
    /// The server's process is known, so its CPU time, memory and descriptors can be read.
    Process,
    /// The server serves more than one client. Implied by every check that does not list
    /// [`Need::SingleClient`].
    ServesAgain,
    /// No condition: the check also applies to a server that serves a single client and exits.
    SingleClient,
}

impl Need {
    /// Why the check does not apply; `None` if the condition is met.
    pub(crate) fn unmet(
        self,
        talk: &Talk,
        promise: &Promise,
        server: &Server,
        serves_again: bool,
    ) -> Option<String> {
        let reason = match self {
            Self::Frame if talk.request.has_end() && talk.plain().reply_frame(talk).has_end() => {
                return None;
            }
            Self::Frame => "the talk has no frame, so the end of a message is unknown",
            Self::ManyTurns if talk.carries_many_turns() => return None,
            Self::ManyTurns => "a connection carries the first [[talk.turn]] only once",
            Self::Reply if talk.plain().expect.has_reply() => return None,
            Self::Reply => "the first [[talk.turn]] has no reply",
            Self::Pipelining if promise.pipelining == Some(true) => return None,
            Self::Pipelining => "needs promise.pipelining = true",
            Self::MaxMessage if promise.max_message.is_some() => return None,
            Self::MaxMessage => "needs promise.max_message",
            Self::Payload if talk.turns.iter().any(|turn| turn.uses_payload()) => return None,
            Self::Payload => "no [[talk.turn]] sends {payload}",
            Self::DistinctReplies if talk.turns[0].proves_order() => return None,
            Self::DistinctReplies => {
                "the first [[talk.turn]] does not expect its {tok}: replies cannot be told apart"
            }
            Self::LengthField if talk.request.announcing(1).is_some() => return None,
            Self::LengthField => "requests have no length field",
            Self::Spawned if !server.is_attached() => return None,
            Self::Spawned => "tcprove did not start this server",
            Self::Process if server.pid().is_some() => return None,
            Self::Process => "the server's process is unknown: pass --pid",
            Self::SingleClient => return None,
            Self::ServesAgain if serves_again => return None,
            Self::ServesAgain => "the server serves a single client: see serves-again",
        };
        Some(reason.to_owned())
    }
}
