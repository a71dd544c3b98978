//! Conditions under which a check applies. If one is not met, the check is skipped with a reason.

use super::{Check, all};
use crate::process::{Listening, TaskLimit};
use crate::subject::Promise;
use crate::talk::{Frame, Talk};
use crate::transport::Transport;

/// The argument that enables checks that take long.
pub(super) const SLOW: &str = "--slow";
/// The argument that enables checks that send traffic for a while.
pub(super) const SOAK: &str = "--soak";

/// A condition under which a check applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Requests and replies have a frame, so the end of a message is known.
    Frame,
    /// A connection carries more than one turn.
    ManyTurns,
    /// The first turn has a reply.
    Reply,
    /// A connection begins with requests that come before the first turn.
    Opening,
    /// `promise.pipelining = true`.
    Pipelining,
    /// `promise.max_message` is given.
    MaxMessage,
    /// `promise.max_connections` is given.
    MaxConnections,
    /// `promise.idle_timeout` is given.
    IdleTimeout,
    /// `[limits]` states something.
    Limits,
    /// `promise.families` is given.
    Families,
    /// `promise.port0 = true`.
    Port0,
    /// `reload` in `[server]` is given.
    Reload,
    /// The talk has a turn with `{payload}`.
    Payload,
    /// The first turn expects its own token, so replies can be told apart.
    DistinctReplies,
    /// Requests announce their length, or the length of a part.
    LengthField,
    /// The talk has requests that must be refused.
    Bad,
    /// `promise.encoding` is given.
    Encoding,
    /// The talk declares messages that the server sends without a request.
    Push,
    /// Requests can contain values in values.
    Nesting,
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
    /// This machine lets tcprove limit the number of threads and processes of a server.
    TaskLimit,
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
    /// Whether a signal asks the server to reload.
    pub reload: bool,
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

impl Check {
    /// What would enable this check, by its text; `None` if that is not known.
    pub(crate) fn enabling(&self, text: &str) -> Option<&'static str> {
        let needed = self.needs.iter().filter_map(|need| need.remedy());
        needed.chain([SLOW, SOAK]).find(|known| *known == text)
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
        (!self.is_met(given)).then(|| self.reason().to_owned())
    }

    fn is_met(self, given: &Given<'_>) -> bool {
        let Given {
            talk,
            promise,
            spawned,
            reload,
            listening,
            transport,
            singleton,
            process,
            serves_again,
        } = *given;
        let tls = transport.tls.as_ref();
        match self {
            Self::Frame => talk.request.has_end() && talk.plain().reply_frame(talk).has_end(),
            Self::ManyTurns => talk.carries_many_turns(),
            Self::Reply => talk.plain().expect.has_reply(),
            Self::Opening => has_opening(talk),
            Self::Pipelining => promise.pipelining == Some(true),
            Self::MaxMessage => promise.max_message.is_some(),
            Self::MaxConnections => promise.max_connections.is_some(),
            Self::IdleTimeout => promise.idle_timeout.is_some(),
            Self::Limits => !promise.limits.is_empty(),
            Self::Families => !promise.families.is_empty(),
            Self::Port0 => promise.port0 == Some(true),
            Self::Reload => reload,
            Self::Payload => talk.turns.iter().any(|turn| turn.uses_payload()),
            Self::DistinctReplies => talk.turns[0].proves_order(),
            Self::LengthField => announces_lengths(&talk.request),
            Self::Bad => !talk.bad.is_empty(),
            Self::Encoding => promise.encoding.is_some(),
            Self::Push => !talk.push.is_empty(),
            Self::Nesting => talk.nesting().is_some(),
            Self::Spawned => spawned,
            Self::OwnSocket => *listening == Listening::Server,
            Self::Accepts => *listening != Listening::PerConnection,
            Self::SecondInstance => !singleton,
            Self::Process => process,
            Self::TaskLimit => TaskLimit::is_possible(),
            Self::Tcp => transport.unix.is_none(),
            Self::PlainText => tls.is_none(),
            Self::Tls => tls.is_some_and(|tls| !tls.starttls),
            Self::StartTls => tls.is_some_and(|tls| tls.starttls),
            Self::Proxy => transport.proxy.is_some(),
            Self::SingleClient => true,
            Self::ServesAgain => serves_again,
        }
    }

    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Frame => "the talk has no frame, so the end of a message is unknown",
            Self::ManyTurns => "a connection carries the first [[talk.turn]] only once",
            Self::Reply => "the first [[talk.turn]] has no reply",
            Self::Opening => "the talk has no opening that sends anything",
            Self::Pipelining => "needs promise.pipelining = true",
            Self::MaxMessage => "needs promise.max_message",
            Self::MaxConnections => "needs promise.max_connections",
            Self::IdleTimeout => "needs promise.idle_timeout",
            Self::Limits => "[limits] states nothing",
            Self::Families => "needs promise.families",
            Self::Port0 => "needs promise.port0 = true",
            Self::Reload => "needs `reload` in [server]",
            Self::Payload => "no [[talk.turn]] sends {payload}",
            Self::DistinctReplies => {
                "the first [[talk.turn]] does not expect its {tok}: replies cannot be told apart"
            }
            Self::LengthField => "requests have no length field",
            Self::Bad => "the talk has no [[talk.bad]]",
            Self::Encoding => "needs promise.encoding",
            Self::Push => "the talk has no [[talk.push]]",
            Self::Nesting => "no request is a value of JSON or RESP, which could contain others",
            Self::Spawned => "tcprove did not start this server",
            Self::OwnSocket => "tcprove opens the listening socket, not the server",
            Self::Accepts => "tcprove accepts the connections, not the server",
            Self::SecondInstance => "`singleton = true`: only one instance can run at a time",
            Self::Process => "the server's process is unknown: pass --pid",
            Self::TaskLimit => "root cannot limit threads here: no writable control group for pids",
            Self::Tcp => "needs TCP: the kernel does not show the server's end of a Unix socket",
            Self::PlainText => {
                "TLS ends both ways of a connection together, and has no urgent data"
            }
            Self::Tls => "needs [transport] tls",
            Self::StartTls => "needs a [[talk.open]] with starttls = true",
            Self::Proxy => "needs [transport] proxy",
            Self::SingleClient => "",
            Self::ServesAgain => "the server serves a single client: see serves-again",
        }
    }

    /// What would meet the condition; `None` if it is a property of the server.
    pub(super) fn remedy(self) -> Option<&'static str> {
        match self {
            Self::Frame => Some("a `frame` in [talk] other than \"none\""),
            Self::Pipelining => Some("`pipelining = true` in [promise]"),
            Self::MaxMessage => Some("`max_message = BYTES` in [promise]"),
            Self::MaxConnections => Some("`max_connections = NUMBER` in [promise]"),
            Self::IdleTimeout => Some("`idle_timeout = \"TIME\"` in [promise]"),
            Self::Limits => Some("[limits], which `tcprove init --learn` writes"),
            Self::Families => Some("`families = [\"ipv4\", \"ipv6\"]` in [promise]"),
            Self::Port0 => Some("`port0 = true` in [promise]"),
            Self::Reload => Some("`reload = \"HUP\"` in [server]"),
            Self::Payload => Some("{payload} in a [[talk.turn]]"),
            Self::DistinctReplies => {
                Some("{tok} in `send` and `expect` of the first [[talk.turn]]")
            }
            Self::Spawned => Some("`cmd` in [server] instead of --connect"),
            Self::Process => Some("--pid PID"),
            Self::Push => Some("a [[talk.push]]"),
            Self::Bad => Some("a [[talk.bad]]"),
            Self::Encoding => Some("`encoding = \"utf-8\"` in [promise]"),
            Self::Reply | Self::Opening => None,
            Self::OwnSocket | Self::Accepts | Self::SecondInstance | Self::TaskLimit => None,
            Self::Tcp | Self::PlainText | Self::Tls | Self::StartTls | Self::Proxy => None,
            Self::ManyTurns | Self::LengthField | Self::Nesting => None,
            Self::ServesAgain | Self::SingleClient => None,
        }
    }
}

/// Whether requests of this frame announce the length of a part.
fn announces_lengths(frame: &Frame) -> bool {
    matches!(frame, Frame::Resp | Frame::Http1) || frame.announcing(1).is_some()
}

/// Whether the client sends anything before the first turn.
fn has_opening(talk: &Talk) -> bool {
    talk.opening_requests() > 0 || !talk.before(talk.plain()).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A promise that nothing checks promises nothing: a new field needs a check that depends on it.
    #[test]
    fn every_promise_has_a_check() {
        let Promise {
            max_message: _,
            drains_on_stop: _,
            pipelining: _,
            encoding: _,
            max_connections: _,
            idle_timeout: _,
            families: _,
            port0: _,
            limits: _,
        } = Promise::default();
        for need in [
            Need::MaxMessage,
            Need::Pipelining,
            Need::MaxConnections,
            Need::IdleTimeout,
            Need::Limits,
            Need::Families,
            Need::Port0,
            Need::Reload,
            Need::Encoding,
        ] {
            let checks = all().filter(|check| check.needs.contains(&need));
            assert!(checks.count() > 0, "no check needs {need:?}");
        }
        // `drains_on_stop` makes a warning of term-inflight a failure; `encoding` makes utf8-invalid demand a refusal.
        for id in ["term-inflight", "utf8-invalid"] {
            assert!(all().any(|check| check.id == id), "{id}");
        }
    }
}
