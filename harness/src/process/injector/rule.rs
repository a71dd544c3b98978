//! Which calls return what: a rule, and what it has done so far. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::calls::{self, Call, CallKind};

/// Where a call acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    /// A socket that listens at the server's address.
    Listener,
    /// A connection that was made to such a socket.
    Connection,
    /// A wait for one of them.
    Wait,
    /// A regular file.
    File,
    /// The server's stdout or stderr.
    Output,
    /// A new thread or process.
    Thread,
    /// Anything else. No rule applies.
    Other,
}

/// What a call returns instead of its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Injected {
    /// This error number; the call has no effect.
    Error(i32),
    /// One byte is transferred, though there are more.
    Short,
    /// The result comes later.
    Late(Duration),
    /// Its own result: the call is only recorded.
    Nothing,
}

impl Injected {
    /// As shown in reports: the name of the error, `short` or `late`.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Error(number) => calls::error_name(number),
            Self::Short => "short".to_owned(),
            Self::Late(_) => "late".to_owned(),
            Self::Nothing => "nothing".to_owned(),
        }
    }
}

/// Which calls return what.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// The kinds of calls; empty: every kind.
    pub(crate) kinds: &'static [CallKind],
    /// Only the call of this name.
    pub(crate) name: Option<&'static str>,
    /// Where the call acts; empty: at any place but [`Place::Other`].
    pub(crate) places: &'static [Place],
    /// Only connections of this client.
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) result: Injected,
    /// The number of calls that proceed first.
    pub(crate) skip: u32,
    /// Then one in this many.
    pub(crate) every: u32,
    /// At most this many calls.
    pub(crate) times: u32,
    /// How late all other sends on connections return, so that threads are busy at the same time.
    pub(crate) slow_sends: Option<Duration>,
}

impl Rule {
    /// The first call of these kinds at these places has this result.
    pub(crate) fn new(
        kinds: &'static [CallKind],
        places: &'static [Place],
        result: Injected,
    ) -> Rule {
        Rule {
            kinds,
            name: None,
            places,
            peer: None,
            result,
            skip: 0,
            every: 1,
            times: 1,
            slow_sends: None,
        }
    }

    /// Whether a call of this kind may be concerned, wherever it acts.
    pub(super) fn names(&self, call: &Call) -> bool {
        call.kind.is_answered()
            && (self.kinds.is_empty() || self.kinds.contains(&call.kind))
            && self.name.is_none_or(|name| name == call.name)
    }

    /// Whether the rule concerns a call here.
    pub(super) fn covers(&self, place: Place, peer: Option<SocketAddr>) -> bool {
        let here = if self.places.is_empty() {
            place != Place::Other
        } else {
            self.places.contains(&place)
        };
        here && (place != Place::Connection || self.peer.is_none() || self.peer == peer)
    }
}

/// A call that a rule has concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeenCall {
    pub(crate) name: &'static str,
    pub(crate) kind: CallKind,
    pub(crate) place: Place,
    /// The descriptor is in blocking mode.
    pub(crate) is_blocking: bool,
    /// The process has a handler of a signal that interrupts calls.
    pub(crate) is_interruptible: bool,
}

/// Maximum number of calls that are kept in order.
const SEEN_MAX: usize = 2_000;

/// What a rule has done so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    /// The number of calls that the rule concerned, injected or not.
    pub(crate) matched: u32,
    /// The number of further calls that cannot have this result.
    pub(crate) implausible: u32,
    /// How often which call returned what, by its name and the name of the result.
    pub(crate) injected: BTreeMap<(&'static str, String), u32>,
    /// The first calls that the rule concerned.
    pub(crate) seen: Vec<SeenCall>,
    /// Calls at the places of the rule, or on any socket of the server, whose results cannot be replaced.
    pub(crate) unanswered: BTreeSet<&'static str>,
    /// Why a result could not be injected.
    pub(crate) trouble: Option<String>,
}

impl Record {
    /// How many calls returned something else than their result.
    pub(crate) fn count(&self) -> u32 {
        self.injected.values().sum()
    }

    /// Counts a call that the rule concerns. Returns whether its result is due.
    pub(super) fn matched(&mut self, rule: &Rule, call: SeenCall) -> bool {
        if self.seen.len() < SEEN_MAX {
            self.seen.push(call);
        }
        self.matched += 1;
        let due = self.matched > rule.skip
            && (self.matched - rule.skip - 1).is_multiple_of(rule.every.max(1))
            && self.count() < rule.times;
        due && rule.result != Injected::Nothing
    }

    /// Counts an injected result.
    pub(super) fn injected(&mut self, call: &Call, result: Injected) {
        *self.injected.entry((call.name, result.name())).or_default() += 1;
    }

    /// Counts what another rule has injected, too.
    pub(crate) fn add(&mut self, other: &Record) {
        for (what, count) in &other.injected {
            *self.injected.entry(what.clone()).or_default() += count;
        }
    }

    /// The injected results as a sentence: "accept4 returned ECONNABORTED 4 times".
    pub(crate) fn text(&self) -> String {
        let each = self.injected.iter().map(|((call, result), count)| {
            let times = match count {
                1 => "once".to_owned(),
                count => format!("{count} times"),
            };
            match result.as_str() {
                "short" => format!("{call} transferred a single byte {times}"),
                "late" => format!("{call} returned late {times}"),
                error => format!("{call} returned {error} {times}"),
            }
        });
        each.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(rule: &Rule, calls: usize) -> Vec<bool> {
        let mut record = Record::default();
        let call = calls::of_name("accept4").unwrap();
        let seen = SeenCall {
            name: call.name,
            kind: call.kind,
            place: Place::Listener,
            is_blocking: true,
            is_interruptible: false,
        };
        (0..calls)
            .map(|_| {
                let due = record.matched(rule, seen.clone());
                if due {
                    record.injected(call, rule.result);
                }
                due
            })
            .collect()
    }

    #[test]
    fn every_second_call_twice() {
        let rule = Rule {
            every: 2,
            times: 2,
            ..Rule::new(&[CallKind::Accept], &[], Injected::Error(libc::EPROTO))
        };
        assert_eq!(due(&rule, 6), [true, false, true, false, false, false]);
        let rule = Rule { skip: 3, ..rule };
        assert_eq!(due(&rule, 6), [false, false, false, true, false, true]);
    }

    #[test]
    fn other_connections_and_other_descriptors_are_not_concerned() {
        let ours: SocketAddr = "127.0.0.1:5".parse().unwrap();
        let rule = Rule {
            peer: Some(ours),
            ..Rule::new(&[CallKind::Receive], &[Place::Connection], Injected::Short)
        };
        assert!(rule.covers(Place::Connection, Some(ours)));
        assert!(!rule.covers(Place::Connection, None));
        assert!(!rule.covers(Place::Other, Some(ours)));
        assert!(!rule.covers(Place::File, None));
        assert!(rule.names(calls::of_name("read").unwrap()));
        assert!(!rule.names(calls::of_name("write").unwrap()));
        let any = Rule::new(&[], &[], Injected::Nothing);
        assert!(any.covers(Place::File, None) && !any.covers(Place::Other, None));
        assert_eq!(due(&any, 2), [false, false]);
    }

    #[test]
    fn a_record_says_how_often_which_call_returned_what() {
        let mut record = Record::default();
        let call = |name| calls::of_name(name).unwrap();
        record.injected(call("accept4"), Injected::Error(libc::EPROTO));
        record.injected(call("accept4"), Injected::Error(libc::EPROTO));
        record.injected(call("read"), Injected::Short);
        assert_eq!(
            record.text(),
            "accept4 returned EPROTO 2 times, read transferred a single byte once"
        );
        assert_eq!(record.count(), 3);
    }
}
