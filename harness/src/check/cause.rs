//! Failures that probably have one cause. What is the same bug shows in many checks; a reader wants to know of it once.
//!
//! The cause is inferred from which checks fail and how. It is a guess, and reports say so.

use schemars::JsonSchema;
use serde::Serialize;

use super::{FailureKind, Outcome};

/// A probable cause of several failures.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub(crate) struct Cause {
    /// Stable kebab-case id.
    pub id: &'static str,
    /// The cause as the second half of a sentence: "3 checks fall short, probably because ...".
    pub because: &'static str,
    /// The ids of the checks.
    pub checks: Vec<&'static str>,
}

/// How a cause shows.
struct Rule {
    id: &'static str,
    because: &'static str,
    /// What to do about it.
    look: &'static str,
    /// The checks in which it may show: globs.
    checks: &'static [&'static str],
    /// The kinds of these failures.
    kinds: &'static [FailureKind],
    /// What happened contains this; empty if anything may have.
    says: &'static str,
    /// At least one of these must be among them; empty if any will do.
    decisive: &'static [&'static str],
}

/// A cause in words.
pub(crate) struct AboutCause {
    /// See [`Cause::because`].
    pub because: &'static str,
    /// What to do about it.
    pub look: &'static str,
    /// The checks in which it may show: globs.
    pub checks: &'static [&'static str],
}

/// What a cause is; `None` for an unknown id.
pub(crate) fn about(id: &str) -> Option<AboutCause> {
    let rule = RULES.iter().find(|rule| rule.id == id)?;
    Some(AboutCause {
        because: rule.because,
        look: rule.look,
        checks: rule.checks,
    })
}

/// The ids of all causes.
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|rule| rule.id)
}

/// The ids of the causes that may show in this check, the more special ones first.
pub(super) fn of_check(check: &str) -> Vec<&'static str> {
    let shows = |rule: &&Rule| {
        let mut globs = rule.checks.iter();
        globs.any(|glob| *glob != "*" && glob_match::glob_match(glob, check))
    };
    RULES.iter().filter(shows).map(|rule| rule.id).collect()
}

/// Minimum number of failures that have a cause in common.
const CHECKS_MIN: usize = 2;

/// How the part of an outcome's `actual` begins that says that the reply is the one of a server that has no place for a client.
pub(crate) const BEYOND_CLIENTS: &str = "as it answers beyond its limit of ";

/// The cause of failures in which the server refuses clients although few are connected.
pub(super) const PLACES_LOST: &str = "places-not-given-back";

use FailureKind as Kind;

/// How a server falls short that does not take a request for the one that it is.
const NOT_UNDERSTOOD: &[Kind] = &[
    Kind::WrongReply,
    Kind::LostReply,
    Kind::Reset,
    Kind::Accepted,
    Kind::Blocked,
];

/// The first rule that explains a failure counts.
const RULES: &[Rule] = &[
    Rule {
        id: PLACES_LOST,
        because: "a client that resets the connection, or leaves in mid-request, is still counted among the clients that the server allows at the same time",
        look: "count a client down on every path out of its handler, errors included: in `finally`, `defer` or a destructor",
        checks: &[
            "rst-*",
            "fin-*",
            "prefix-abort",
            "fd-leak",
            "thread-leak",
            "rss-slope",
            "places-given-back",
            "churn",
            "send-error",
            "recv-error",
        ],
        kinds: &[
            Kind::WrongReply,
            Kind::LostReply,
            Kind::Reset,
            Kind::Refused,
            Kind::Blocked,
        ],
        says: BEYOND_CLIENTS,
        decisive: &[],
    },
    Rule {
        id: "later-request-in-pieces",
        because: "a request other than the first is understood only if it arrives in one read",
        look: "look at the code that reads this request: what it has of it after one recv() is judged too early, or lost before the next",
        checks: &["split-bytewise", "split-each-offset"],
        kinds: NOT_UNDERSTOOD,
        says: "talk.turn[",
        decisive: &[],
    },
    Rule {
        id: "read-is-message",
        because: "one read is treated as one message: the server answers what a single recv() returns, and neither collects the rest of a message nor keeps what follows it",
        look: "collect bytes until a message is whole, by its delimiter or its length; answer it, and keep what follows for the next one",
        checks: &[
            "split-*",
            "coalesce-*",
            "opening-*",
            "utf8-split-*",
            "size-boundaries",
            "over-buffer",
            "at-limit",
            "shared-decoder",
            "big-reply",
            "short-read",
            "fin-mid-request",
            "rst-mid-request",
            "rescan-quadratic",
            "nagle-40ms",
        ],
        kinds: NOT_UNDERSTOOD,
        says: "",
        decisive: &[
            "split-bytewise",
            "split-each-offset",
            "split-delimiter",
            "opening-split",
        ],
    },
    Rule {
        id: "rest-of-read-dropped",
        because: "what follows a message in the same read is dropped",
        look: "after a message has been answered, look for another one in the same buffer before the next recv()",
        checks: &["coalesce-*", "split-across-two", "opening-coalesced"],
        kinds: &[Kind::WrongReply, Kind::LostReply, Kind::Reset],
        says: "",
        decisive: &[],
    },
    Rule {
        id: "decoded-per-read",
        because: "text is decoded read by read, so that a character in two reads is destroyed",
        look: "collect bytes and decode whole messages only, or keep an incremental decoder for each connection",
        checks: &["utf8-split-*", "shared-decoder"],
        kinds: &[Kind::WrongReply, Kind::LostReply, Kind::Reset, Kind::Died],
        says: "",
        decisive: &[],
    },
    Rule {
        id: "decode-error",
        because: "an error while a request is decoded ends the whole server, not one connection",
        look: "catch the error where a request is decoded, answer or close that connection, and go on with the others",
        checks: &["utf8-*", "nul-bytes", "zero-length"],
        kinds: &[Kind::Died, Kind::WorkerDied],
        says: "",
        decisive: &["utf8-*"],
    },
    Rule {
        id: "connection-error-ends-server",
        because: "an error of recv() or send() on one connection ends the whole server",
        look: "handle errors of recv() and send() for each connection: close it and go on; ignore SIGPIPE",
        checks: &[
            "rst-*",
            "fin-*",
            "prefix-abort",
            "zero-length",
            "places-given-back",
            "fd-leak",
            "thread-leak",
            "keepalive-race",
            "send-error",
            "recv-error",
            "options-refused",
        ],
        kinds: &[Kind::Died],
        says: "",
        decisive: &["rst-*", "fin-*", "prefix-abort", "send-error", "recv-error"],
    },
    Rule {
        id: "accept-error-ends-server",
        because: "an error of accept() ends the loop that accepts, or the whole server",
        look: "let the loop go on after an error of accept(), with a pause if a resource is missing (EMFILE, ENFILE, ENOBUFS, ENOMEM)",
        checks: &[
            "accept-aborted",
            "accept-short",
            "accept-refused",
            "emfile-live",
        ],
        kinds: &[Kind::Died, Kind::Blocked, Kind::LostReply],
        says: "",
        decisive: &["accept-*"],
    },
    Rule {
        id: "thread-error-ends-server",
        because: "the server does not survive that no thread or process can be started for a client",
        look: "handle the error where a thread or process is started for a client: close that client, and go on with the others",
        checks: &["no-thread", "nproc-live"],
        kinds: &[
            Kind::Died,
            Kind::Blocked,
            Kind::LostReply,
            Kind::Refused,
            Kind::Reset,
        ],
        says: "",
        decisive: &[],
    },
    Rule {
        id: "worker-crashes",
        because: "a worker process crashes, and another one replaces it",
        look: "find the crash in the server's log or core dump, with debug information or a sanitizer: that another worker takes its place only hides it",
        checks: &["*"],
        kinds: &[Kind::WorkerDied],
        says: "",
        decisive: &[],
    },
    Rule {
        id: "polls-ended-connection",
        because: "a connection that has ended stays registered, and is polled again and again",
        look: "when recv() returns 0 or an error, take the descriptor out of the event loop and close it",
        checks: &[
            "rst-*",
            "fin-*",
            "spin-after-eof",
            "prefix-abort",
            "zero-length",
            "fd-leak",
            "thread-leak",
            "places-given-back",
            "hol-*",
        ],
        kinds: &[Kind::Spin],
        says: "",
        decisive: &[
            "rst-*",
            "fin-*",
            "spin-after-eof",
            "prefix-abort",
            "zero-length",
        ],
    },
    Rule {
        id: "never-sleeps-again",
        because: "something that clients leave behind keeps the server busy",
        look: "see with `strace -c -f -p PID` which call is made over and over, and why it does not wait",
        checks: &["*"],
        kinds: &[Kind::Spin],
        says: "",
        decisive: &[],
    },
    Rule {
        id: "keeps-connections",
        because: "the server does not close its end of a connection on some path",
        look: "close the socket on every path out of a connection's handler: error, time limit, end of the stream",
        checks: &["*"],
        kinds: &[Kind::Leak],
        says: "",
        decisive: &[],
    },
    Rule {
        id: "one-client-holds-all",
        because: "one client that is silent or slow occupies the thread or task that serves the others",
        look: "give each connection a thread, a task or a place in the event loop, and each read and write a time limit",
        checks: &[
            "hol-*",
            "tls-stalled-handshake",
            "proxy-late",
            "never-read",
            "backlog-burst",
            "conn-limit",
            "places-given-back",
            "prefix-abort",
        ],
        kinds: &[Kind::Blocked, Kind::Refused, Kind::LostReply],
        says: "",
        decisive: &["hol-*", "tls-stalled-handshake", "proxy-late"],
    },
    Rule {
        id: "stores-without-limit",
        because: "what a client sends is stored without a limit",
        look: "limit the length of a message before memory is allocated for it, and stop reading from a client whose replies are not taken",
        checks: &["endless-message", "huge-length", "never-read"],
        kinds: &[Kind::Growth],
        says: "",
        decisive: &[],
    },
    Rule {
        id: "does-not-stop",
        because: "the stop signal does not end all that the server started",
        look: "let the handler of the stop signal end connections, threads and children, and wait for them",
        checks: &["term-*", "no-orphans"],
        kinds: &[Kind::IgnoredStop, Kind::Orphans],
        says: "",
        decisive: &[],
    },
];

impl Rule {
    fn explains(&self, outcome: &Outcome) -> bool {
        outcome.is_about_the_server()
            && outcome.waived.is_none()
            && outcome.cause.is_none()
            && outcome.kind.is_some_and(|kind| self.kinds.contains(&kind))
            && (self.says.is_empty() || outcome.says(self.says))
            && matches_any(self.checks, outcome.id)
    }
}

fn matches_any(globs: &[&str], id: &str) -> bool {
    globs.iter().any(|glob| glob_match::glob_match(glob, id))
}

/// Finds the causes that several outcomes have in common, and notes them in the outcomes.
pub(crate) fn infer(outcomes: &mut [Outcome]) -> Vec<Cause> {
    let mut causes = Vec::new();
    for rule in RULES {
        let explained = outcomes.iter().filter(|outcome| rule.explains(outcome));
        let checks: Vec<&'static str> = explained.map(|outcome| outcome.id).collect();
        let decided =
            rule.decisive.is_empty() || checks.iter().any(|id| matches_any(rule.decisive, id));
        if checks.len() < CHECKS_MIN || !decided {
            continue;
        }
        for outcome in outcomes.iter_mut() {
            if checks.contains(&outcome.id) {
                outcome.cause = Some(rule.id);
            }
        }
        causes.push(Cause {
            id: rule.id,
            because: rule.because,
            checks,
        });
    }
    causes
}

impl Cause {
    /// The cause in a sentence.
    pub(crate) fn sentence(&self) -> String {
        format!(
            "{} checks fall short, probably because {}",
            self.checks.len(),
            self.because
        )
    }
}

#[cfg(test)]
mod tests;
