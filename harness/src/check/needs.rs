//! Conditions under which a check applies. If one is not met, the check is skipped with a reason.

use super::{Check, all};
use crate::process::Listening;
use crate::subject::Promise;
use crate::talk::Talk;
use crate::transport::Transport;

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

/// What decides whether a check applies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    pub talk: &'a Talk,
    pub promise: &'a Promise,
    /// Whether tcprove starts the server.
    pub spawned: bool,
    /// Who opens the listening socket and accepts connections.
    pub listening: &'a Listening,
    /// How clients reach the server.
    pub transport: &'a Transport,
    /// Whether only one instance can run at a time.
    pub singleton: bool,
    /// Whether the server's process is known.
    pub process: bool,
    /// Whether the server serves more than one client.
    pub serves_again: bool,
}

/// A check that does not apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unmet {
    /// Why it does not apply.
    pub reason: String,
    /// The lines of the file, or the arguments, that would enable it; empty if nothing does.
    pub enable: Vec<&'static str>,
}

impl Check {
    /// Why this check does not apply; `None` if it does.
    pub(crate) fn unmet(&self, given: &Given<'_>) -> Option<Unmet> {
        // A server that serves a single client only gets the checks that need no second one.
        let again = (!self.needs.contains(&Need::SingleClient)).then_some(Need::ServesAgain);
        let needs = self.needs.iter().copied().chain(again);
        let unmet: Vec<(Need, String)> = needs
            .filter_map(|need| Some((need, need.unmet(given)?)))
            .collect();
        let reason = unmet.first()?.1.clone();
        let enable: Option<Vec<&str>> = unmet.iter().map(|(need, _)| need.remedy()).collect();
        Some(Unmet {
            reason,
            enable: enable.unwrap_or_default(),
        })
    }
}

impl Check {
    /// Whether the check concerns a server that is reached in this way. Checks of TLS and of the PROXY
    /// protocol are not part of the battery of a server without them.
    pub(crate) fn is_about(&self, transport: &Transport) -> bool {
        let starttls = transport.tls.as_ref().map(|tls| tls.starttls);
        self.needs.iter().all(|need| match need {
            Need::Tls => starttls == Some(false),
            Need::StartTls => starttls == Some(true),
            Need::Proxy => transport.proxy.is_some(),
            _ => true,
        })
    }
}

/// What would enable more checks: for each combination of lines, the checks that only lack these.
pub(crate) fn remedies(given: &Given<'_>) -> Vec<(Vec<&'static str>, Vec<&'static str>)> {
    let unmet = all().filter_map(|check| Some((check.unmet(given)?.enable, check.id)));
    grouped(unmet.filter(|(enable, _)| !enable.is_empty()))
}

/// Groups checks by what would enable them, the largest group first; those that nothing enables come last.
pub(crate) fn grouped<'a>(
    checks: impl Iterator<Item = (Vec<&'static str>, &'a str)>,
) -> Vec<(Vec<&'static str>, Vec<&'a str>)> {
    let mut groups: Vec<(Vec<&'static str>, Vec<&'a str>)> = Vec::new();
    for (enable, id) in checks {
        match groups.iter_mut().find(|(known, _)| *known == enable) {
            Some((_, ids)) => ids.push(id),
            None => groups.push((enable, vec![id])),
        }
    }
    groups.sort_by_key(|(enable, ids)| (enable.is_empty(), std::cmp::Reverse(ids.len())));
    groups
}

impl Need {
    /// Why the check does not apply; `None` if the condition is met.
    fn unmet(self, given: &Given<'_>) -> Option<String> {
        let Given {
            talk,
            promise,
            spawned,
            listening,
            transport,
            singleton,
            process,
            serves_again,
        } = *given;
        let tls = transport.tls.as_ref();
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
            Self::Spawned if spawned => return None,
            Self::Spawned => "tcprove did not start this server",
            Self::OwnSocket if *listening == Listening::Server => return None,
            Self::OwnSocket => "tcprove opens the listening socket, not the server",
            Self::Accepts if *listening != Listening::PerConnection => return None,
            Self::Accepts => "tcprove accepts the connections, not the server",
            Self::SecondInstance if !singleton => return None,
            Self::SecondInstance => "`singleton = true`: only one instance can run at a time",
            Self::Process if process => return None,
            Self::Process => "the server's process is unknown: pass --pid",
            Self::Tcp if transport.unix.is_none() => return None,
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

    /// What would meet the condition; `None` if it is a property of the server.
    fn remedy(self) -> Option<&'static str> {
        match self {
            Self::Frame => Some("a `frame` in [talk] other than \"none\""),
            Self::Pipelining => Some("`pipelining = true` in [promise]"),
            Self::MaxMessage => Some("`max_message = BYTES` in [promise]"),
            Self::Payload => Some("{payload} in a [[talk.turn]]"),
            Self::DistinctReplies => {
                Some("{tok} in `send` and `expect` of the first [[talk.turn]]")
            }
            Self::Spawned => Some("`cmd` in [server] instead of --connect"),
            Self::Process => Some("--pid PID"),
            Self::Reply => None,
            Self::OwnSocket | Self::Accepts | Self::SecondInstance => None,
            Self::Tcp | Self::PlainText | Self::Tls | Self::StartTls | Self::Proxy => None,
            Self::ManyTurns | Self::LengthField | Self::ServesAgain | Self::SingleClient => None,
        }
    }
}
