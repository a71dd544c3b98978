//! The cases of a sweep: which call gets which result. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::process::injector::{CallKind, Injected, Place, SeenCall, calls, results};

/// One call of an exchange and the result that it is given.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub(crate) struct SweepCase {
    /// The name of the call.
    pub(crate) call: &'static str,
    /// Which of the calls with this name since the beginning of the exchange; 1 is the first.
    pub(crate) occurrence: u32,
    pub(crate) result: Injected,
}

impl SweepCase {
    /// Whether the result takes nothing away: an interrupted call has done nothing, a short one a part.
    pub(super) fn is_harmless(&self) -> bool {
        matches!(self.result, Injected::Short | Injected::Error(libc::EINTR))
    }

    /// Whether the call transfers bytes.
    pub(super) fn is_transfer(&self) -> bool {
        let kind = calls::of_name(self.call).map(|call| call.kind);
        matches!(kind, Some(CallKind::Receive | CallKind::Send))
    }

    /// Reads `CALL:N:RESULT`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let (Some(call), Some(occurrence), Some(result), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("write it as CALL:N:RESULT, as in accept4:3:ECONNABORTED".into());
        };
        let near = |word: &str, names: &mut dyn Iterator<Item = &'static str>| {
            crate::text::suggestion(word, names)
        };
        let Some(known) = calls::of_name(call) else {
            let near = near(call, &mut calls::names());
            return Err(format!("no call `{call}` is known{near}"));
        };
        let occurrence = match occurrence.parse() {
            Ok(number @ 1..) => number,
            _ => {
                return Err(format!(
                    "`{occurrence}` is not the number of a call: 1 is the first"
                ));
            }
        };
        let result = match result {
            "short" => Injected::Short,
            name => match calls::error_number(name) {
                Some(number) => Injected::Error(number),
                None => {
                    let near = near(name, &mut calls::error_names());
                    return Err(format!("no result `{name}` is known{near}"));
                }
            },
        };
        Ok(Self {
            call: known.name,
            occurrence,
            result,
        })
    }
}

impl std::fmt::Display for SweepCase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}:{}:{}",
            self.call,
            self.occurrence,
            self.result.name()
        )
    }
}

impl Serialize for SweepCase {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SweepCase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// The calls that all exchanges have in common, by kind and name: which of two calls is first may depend on the threads of
/// the server.
pub(super) fn of_every(exchanges: &[Vec<SeenCall>]) -> Vec<SeenCall> {
    let count = |exchange: &[SeenCall], name: &str| {
        exchange.iter().filter(|call| call.name == name).count()
    };
    let Some((first, others)) = exchanges.split_first() else {
        return Vec::new();
    };
    let mut taken: Vec<SeenCall> = Vec::new();
    for call in first {
        let have = count(&taken, call.name);
        if others
            .iter()
            .all(|exchange| count(exchange, call.name) > have)
        {
            taken.push(call.clone());
        }
    }
    taken.sort_by_key(|call| (call.kind, call.name));
    taken
}

/// All results of all socket calls in an exchange, in the order of the calls.
pub(super) fn cases(seen: &[SeenCall]) -> Vec<SweepCase> {
    let mut counted: Vec<(&str, u32)> = Vec::new();
    let mut cases = Vec::new();
    for call in seen {
        if !matches!(call.place, Place::Listener | Place::Connection) {
            continue;
        }
        let occurrence = match counted.iter_mut().find(|(name, _)| *name == call.name) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                counted.push((call.name, 1));
                1
            }
        };
        let results = results(call).into_iter();
        cases.extend(results.map(|result| SweepCase {
            call: call.name,
            occurrence,
            result,
        }));
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: &str, place: Place) -> SeenCall {
        let call = calls::of_name(name).unwrap();
        SeenCall {
            name: call.name,
            kind: call.kind,
            place,
            is_blocking: false,
            is_interruptible: false,
        }
    }

    #[test]
    fn a_case_is_read_and_written() {
        let case = SweepCase::parse("accept4:3:ECONNABORTED").unwrap();
        assert_eq!(case.occurrence, 3);
        assert_eq!(case.to_string(), "accept4:3:ECONNABORTED");
        assert_eq!(
            SweepCase::parse("read:1:short").unwrap().result,
            Injected::Short
        );
        for (wrong, why) in [
            ("accept4", "CALL:N:RESULT"),
            ("acept4:1:EPERM", "`accept4`"),
            ("read:0:EPERM", "1 is the first"),
            ("read:1:EPIP", "`EPIPE`"),
        ] {
            let error = SweepCase::parse(wrong).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn only_calls_of_every_exchange_count() {
        let read = || seen("read", Place::Connection);
        let accept = || seen("accept4", Place::Listener);
        let exchanges = [
            vec![read(), accept(), read(), accept()],
            vec![accept(), read(), accept(), read(), read()],
            vec![accept(), read(), read()],
        ];
        let names: Vec<&str> = of_every(&exchanges).iter().map(|call| call.name).collect();
        assert_eq!(names, ["accept4", "read", "read"]);
    }

    #[test]
    fn each_socket_call_has_each_result() {
        let exchange = [
            seen("accept4", Place::Listener),
            seen("read", Place::Connection),
            seen("epoll_wait", Place::Wait),
            seen("read", Place::Connection),
        ];
        let cases: Vec<String> = cases(&exchange).iter().map(SweepCase::to_string).collect();
        assert!(cases.contains(&"accept4:1:EPROTO".to_owned()), "{cases:?}");
        assert!(cases.contains(&"read:2:ETIMEDOUT".to_owned()), "{cases:?}");
        // A call that does not wait is not interrupted, and a wait is no socket call.
        assert!(
            !cases.iter().any(|case| case.contains("EINTR")),
            "{cases:?}"
        );
        assert!(
            !cases.iter().any(|case| case.contains("epoll")),
            "{cases:?}"
        );
    }
}
