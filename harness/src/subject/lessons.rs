//! What a rehearsal may find out about a server: limits that it sets to its clients on purpose, and the order of turns. These
//! are facts, not faults.

use schemars::JsonSchema;
use serde::Serialize;

use super::search::Refusal;

/// What a server accepts, as far as it is known. `None`: no limit is stated, and none was found.
#[derive(Clone, Debug, Default, PartialEq, JsonSchema, Serialize)]
pub(crate) struct Limits {
    /// How many clients it serves at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<Limit>,
    /// How many requests a connection carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_connection: Option<Limit>,
    /// How long a request may be: bytes, frame included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_bytes: Option<Limit>,
    /// After which time it closes an idle connection, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_close_s: Option<f64>,
}

/// One limit: what the file states, what was seen, or both.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub(crate) struct Limit {
    /// The largest number that was accepted.
    pub accepts: usize,
    /// What happened to the next one, as in "the server closes it"; `None` if nothing larger was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
    /// Whether the connection was over then.
    pub closes: bool,
    /// What the file states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stated: Option<usize>,
}

impl Limit {
    /// A limit that was seen.
    pub(super) fn seen(refusal: Refusal, stated: Option<usize>) -> Self {
        Self {
            accepts: refusal.accepts,
            then: Some(refusal.then),
            closes: refusal.closes,
            stated,
        }
    }

    /// A limit that is stated, while only so many were tried, and accepted.
    pub(super) fn stated(stated: usize, accepts: usize) -> Self {
        Self {
            accepts,
            then: None,
            closes: false,
            stated: Some(stated),
        }
    }

    /// The number to stay within.
    pub(crate) fn most(&self) -> usize {
        match (&self.then, self.stated) {
            (Some(_), Some(stated)) => self.accepts.min(stated),
            (Some(_), None) => self.accepts,
            (None, stated) => stated.unwrap_or(usize::MAX),
        }
    }

    /// The limit as a phrase. `all` puts the number into what is accepted, as in "20 connections", and `one` names a single
    /// one, as in "connection 21".
    fn phrase(&self, all: fn(&str) -> String, one: fn(&str) -> String) -> String {
        let Self { accepts, then, .. } = self;
        let many = all(&grouped(*accepts));
        let stated = self.stated.unwrap_or(*accepts);
        match then {
            Some(then) => {
                let beside = match self.stated {
                    Some(_) if stated != *accepts => {
                        format!("; [limits] states {}", grouped(stated))
                    }
                    Some(_) => ", as [limits] states".to_owned(),
                    None => String::new(),
                };
                let next = one(&grouped(accepts + 1));
                format!("accepts {many} ({next}: {then}){beside}")
            }
            None if *accepts > stated => {
                let stated = grouped(stated);
                format!("accepts {many} or more; [limits] states {stated}")
            }
            None => {
                let many = all(&grouped(stated));
                format!("accepts {many}, as [limits] states (not tried)")
            }
        }
    }
}

/// A number with its thousands apart, as in "1,023".
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Limits {
    /// How many requests a connection carries.
    pub(crate) fn requests(&self) -> Option<usize> {
        self.requests_per_connection.as_ref().map(Limit::most)
    }

    /// How many clients it serves at the same time.
    pub(crate) fn connections(&self) -> Option<usize> {
        self.connections.as_ref().map(Limit::most)
    }

    /// If what happened to a client quotes the reply to one beyond the limit of clients: the number that the server serves.
    pub(crate) fn refused_as_too_many(&self, actual: &str) -> Option<usize> {
        let limit = self.connections.as_ref()?;
        let (_, quoted) = limit.then.as_ref()?.split_once('"')?;
        let (reply, _) = quoted.rsplit_once('"')?;
        let is_quoted = !reply.is_empty() && actual.contains(&format!("\"{reply}\""));
        is_quoted.then_some(limit.accepts)
    }

    /// How long a request may be, in bytes.
    pub(crate) fn message_bytes(&self) -> Option<usize> {
        self.message_bytes.as_ref().map(Limit::most)
    }

    /// The limits as phrases, each with what happens beyond it.
    pub(crate) fn phrases(&self) -> Vec<String> {
        let connections = self.connections.as_ref().map(|limit| {
            limit.phrase(
                |most| format!("{most} connections at the same time"),
                |next| format!("connection {next}"),
            )
        });
        let requests = self.requests_per_connection.as_ref().map(|limit| {
            limit.phrase(
                |most| format!("{most} requests on a connection"),
                |next| format!("request {next}"),
            )
        });
        let bytes = self.message_bytes.as_ref().map(|limit| {
            limit.phrase(
                |most| format!("requests of up to {most} bytes"),
                |next| format!("one of {next} bytes"),
            )
        });
        let idle = self
            .idle_close_s
            .map(|seconds| format!("closes an idle connection after {seconds:.1} s"));
        [connections, requests, bytes, idle]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// How much was tried, and accepted, of what a limit may be set to; 0 if nothing was tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub(crate) struct Tried {
    /// Connections at the same time.
    pub connections: usize,
    /// Whether the search for the number of connections ended for lack of time, before a limit or the largest number tried.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub connections_cut_short: bool,
    /// Requests on a connection.
    pub requests_per_connection: usize,
    /// The size of the largest request that was answered.
    pub message_bytes: usize,
    /// A request that was neither answered nor refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
}

/// What happened to a request that was neither answered nor refused. `over-buffer` judges it.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub(crate) struct Trouble {
    /// Its size in bytes.
    pub bytes: usize,
    /// What happened.
    pub how: String,
}

/// The place of a turn among the others, as it was found out.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub(crate) struct Place {
    /// The turn.
    pub turn: String,
    /// The turns that the same connection has to carry before, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// A connection carries it only once.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub once: bool,
    /// The server closes the connection after it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub last: bool,
}

impl Place {
    /// The place as a phrase.
    pub(crate) fn phrase(&self) -> String {
        let mut text = self.turn.clone();
        if !self.after.is_empty() {
            text.push_str(" only after ");
            text.push_str(&self.after.join(", "));
        }
        if self.once {
            text.push_str(", once on a connection");
        }
        if self.last {
            text.push_str(", after which the server closes the connection");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(accepts: usize, then: &str, stated: Option<usize>) -> Limit {
        let then = then.to_owned();
        let refusal = Refusal {
            accepts,
            then,
            closes: true,
        };
        Limit::seen(refusal, stated)
    }

    /// The smaller of what is stated and what was seen; what is stated, if nothing was refused.
    #[test]
    fn the_number_to_stay_within() {
        assert_eq!(seen(7, "reset", None).most(), 7);
        assert_eq!(seen(7, "reset", Some(8)).most(), 7);
        assert_eq!(seen(7, "reset", Some(5)).most(), 5);
        assert_eq!(Limit::stated(20, 21).most(), 20);
        let phrase = |limit: Limit| limit.phrase(|most| format!("{most} requests"), str::to_owned);
        assert_eq!(
            phrase(Limit::stated(20, 21)),
            "accepts 21 requests or more; [limits] states 20"
        );
        assert_eq!(
            phrase(Limit::stated(1_000_000, 0)),
            "accepts 1,000,000 requests, as [limits] states (not tried)"
        );
    }

    #[test]
    fn the_reply_beyond_the_limit_of_clients_is_recognised() {
        let of = |then: &str| Limits {
            connections: Some(seen(100, then, None)),
            ..Limits::default()
        };
        let busy = of(r#"the server answers "{"error": "busy"}\n""#);
        let quoted = r#"after clients with a request: "{"error": "busy"}\n""#;
        assert_eq!(busy.refused_as_too_many(quoted), Some(100));
        assert_eq!(busy.refused_as_too_many(r#""{"error": "busy"}""#), None);
        let closed = of("the server closes it");
        assert_eq!(closed.refused_as_too_many("the server closes it"), None);
        assert_eq!(Limits::default().refused_as_too_many(quoted), None);
    }

    #[test]
    fn a_limit_is_told_with_what_is_beyond_it() {
        let limits = Limits {
            connections: Some(seen(20, "the server closed it", None)),
            requests_per_connection: Some(seen(7, "reset", Some(8))),
            message_bytes: Some(seen(1023, "reset", Some(1023))),
            idle_close_s: Some(1.02),
        };
        assert_eq!(
            limits.phrases(),
            [
                "accepts 20 connections at the same time (connection 21: the server closed it)",
                "accepts 7 requests on a connection (request 8: reset); [limits] states 8",
                "accepts requests of up to 1,023 bytes (one of 1,024 bytes: reset), as [limits] states",
                "closes an idle connection after 1.0 s",
            ]
        );
        assert!(Limits::default().phrases().is_empty());
    }
}
