//! Conditions under which a check applies. If one is not met, the check is skipped with a reason.

use crate::process::{Listening, Server};
use crate::subject::Promise;
use crate::talk::Talk;

/// A condition under which a check applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Requests and replies have a frame, so the end of a message is known.
    Frame,
    /// A connection carries more than one turn.
    ManyTurns,
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
    /// The server opens its listening socket itself.
    OwnSocket,
    /// The server accepts its connections itself.
    Accepts,
    /// Several instances of the server can run at the same time.
    SecondInstance,
    /// The server's process is known, so its CPU time, memory and descriptors can be read.
    Process,
    /// The server serves more than one client. Implied by every check that does not list
    /// [`Need::SingleClient`].
    ServesAgain,
    /// The server listens on TCP: the check observes the server's end of a connection, or sends what
    /// only TCP has.
    Tcp,
    /// The conversation is not encrypted: the check sends what TLS does not allow.
    PlainText,
    /// The conversation is encrypted from the start of a connection.
    Tls,
    /// An opening step switches to TLS.
    StartTls,
    /// Connections start with a PROXY protocol header.
    Proxy,
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
        let transport = &server.endpoint().transport;
        let tls = transport.tls.as_ref();
        let reason = match self {
            Self::Frame if talk.request.has_end() && talk.plain().reply_frame(talk).has_end() => {
                return None;
            }
            Self::Frame => "the talk has no frame, so the end of a message is unknown",
            Self::ManyTurns if talk.carries_many_turns() => return None,
            Self::ManyTurns => "the server closes after one reply",
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
            Self::OwnSocket if *server.listening() == Listening::Server => return None,
            Self::OwnSocket => "tcprove opens the listening socket, not the server",
            Self::Accepts if *server.listening() != Listening::PerConnection => return None,
            Self::Accepts => "tcprove accepts the connections, not the server",
            Self::SecondInstance if !server.is_singleton() => return None,
            Self::SecondInstance => "`singleton = true`: only one instance can run at a time",
            Self::Process if server.pid().is_some() => return None,
            Self::Process => "the server's process is unknown: pass --pid",
            Self::Tcp if server.addr().is_some() => return None,
            Self::Tcp => "needs TCP: the kernel does not show the server's end of a Unix socket",
            Self::PlainText if tls.is_none() => return None,
            Self::PlainText => {
                "TLS ends both ways of a connection together, and has no urgent data"
            }
            Self::Tls if tls.is_some_and(|tls| !tls.starttls) => return None,
            Self::Tls => "needs [transport] tls",
            Self::StartTls if tls.is_some_and(|tls| tls.starttls) => return None,
            Self::StartTls => "needs a [[talk.open]] with starttls = true",
            Self::Proxy if transport.proxy.is_some() => return None,
            Self::Proxy => "needs [transport] proxy",
            Self::SingleClient => return None,
            Self::ServesAgain if serves_again => return None,
            Self::ServesAgain => "the server serves a single client: see serves-again",
        };
        Some(reason.to_owned())
    }
}
