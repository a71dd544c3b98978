//! JSON values, compared as values: order of keys, white space and escapes do not matter.

use std::collections::BTreeMap;

use serde_json::Value;

use super::judgement::{Judgement, Mismatch, SHOWN_CHARS};
use crate::text::escape;

/// An expected value.
#[derive(Debug, Clone)]
pub struct ExpectedJson {
    value: Value,
}

impl ExpectedJson {
    /// Parses the expected value.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        match serde_json::from_slice(text) {
            Ok(value) => Ok(Self { value }),
            Err(why) => Err(why.to_string()),
        }
    }

    /// Compares a reply, or the beginning of one unless `at_eof`.
    pub(super) fn judge(&self, reply: &[u8], at_eof: bool) -> Judgement {
        match serde_json::from_slice::<Value>(reply) {
            Ok(value) => match first_difference(&self.value, &value, "") {
                None => Judgement::Match(BTreeMap::new()),
                // More digits may follow.
                Some(_) if value.is_number() && !at_eof => Judgement::Partial,
                Some(difference) => Judgement::Mismatch(difference),
            },
            Err(why) if why.is_eof() && !at_eof => Judgement::Partial,
            Err(_) if reply.is_empty() => {
                Judgement::Mismatch(Mismatch::new(self.describe(), "nothing"))
            }
            Err(why) => {
                let got = format!(
                    "\"{}\", which is not JSON: {why}",
                    escape(reply, SHOWN_CHARS)
                );
                Judgement::Mismatch(Mismatch::quoting(reply, self.describe(), got))
            }
        }
    }

    pub(super) fn describe(&self) -> String {
        format!("the JSON value {}", shown(&self.value))
    }
}

fn shown(value: &Value) -> String {
    escape(value.to_string().as_bytes(), SHOWN_CHARS)
}

/// The first place where two values differ, as a mismatch. `path` leads to them.
fn first_difference(expected: &Value, actual: &Value, path: &str) -> Option<Mismatch> {
    let at = |what: String| match path {
        "" => what,
        path => format!("{what} at {path}"),
    };
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            for (key, value) in expected {
                let key_shown = escape(key.as_bytes(), SHOWN_CHARS);
                let path = format!("{path}.{key_shown}");
                match actual.get(key) {
                    Some(other) => match first_difference(value, other, &path) {
                        None => {}
                        difference => return difference,
                    },
                    None => {
                        return Some(Mismatch::new(
                            format!("{} at {path}", shown(value)),
                            at(format!("no key \"{key_shown}\"")),
                        ));
                    }
                }
            }
            let stray = |(key, _): &(&String, &Value)| !expected.contains_key(*key);
            let (key, value) = actual.iter().find(stray)?;
            let key = escape(key.as_bytes(), SHOWN_CHARS);
            Some(Mismatch::new(at(format!("no key \"{key}\"")), shown(value)))
        }
        (Value::Array(expected), Value::Array(actual)) => {
            let both = expected.iter().zip(actual).enumerate();
            for (index, (value, other)) in both {
                let difference = first_difference(value, other, &format!("{path}[{index}]"));
                if difference.is_some() {
                    return difference;
                }
            }
            (expected.len() != actual.len()).then(|| {
                Mismatch::new(
                    at(format!("{} elements", expected.len())),
                    actual.len().to_string(),
                )
            })
        }
        (Value::Number(one), Value::Number(other)) if one.as_f64() == other.as_f64() => {
            // Whole numbers beyond 2^53 may differ although their nearest floats are equal.
            let whole = (one.is_u64() || one.is_i64()) && (other.is_u64() || other.is_i64());
            (whole && one != other).then(|| Mismatch::new(at(shown(expected)), shown(actual)))
        }
        _ if expected == actual => None,
        _ => Some(Mismatch::new(at(shown(expected)), shown(actual))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(expected: &str, reply: &str) -> Result<(), String> {
        let json = ExpectedJson::parse(expected.as_bytes()).unwrap();
        match json.judge(reply.as_bytes(), true) {
            Judgement::Match(_) => Ok(()),
            Judgement::Mismatch(mismatch) => Err(mismatch.to_string()),
            Judgement::Partial => panic!("partial at the end"),
        }
    }

    #[test]
    fn values_are_equal_however_they_are_written() {
        for (expected, reply) in [
            (
                r#"{"a":"问","b":[1,2.0]}"#,
                "{ \"b\": [1.0, 2], \"a\": \"\\u95ee\" }\r\n",
            ),
            ("1e2", "100"),
            ("null", " null\n"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            assert_eq!(judged(expected, reply), Ok(()), "{expected} {reply}");
        }
    }

    #[test]
    fn differences_have_a_place() {
        for (expected, reply, why) in [
            (
                r#"{"a":{"b":[1,2]}}"#,
                r#"{"a":{"b":[1,3]}}"#,
                "expected 2 at .a.b[1], got 3",
            ),
            (r#"{"a":1}"#, "{}", "expected 1 at .a, got no key \"a\""),
            ("{}", r#"{"a":1}"#, "expected no key \"a\", got 1"),
            ("[1]", "[1,2]", "expected 1 elements, got 2"),
            (
                "9007199254740993",
                "9007199254740992",
                "expected 9007199254740993",
            ),
            ("1", "{", "which is not JSON"),
            ("1", "", "got nothing"),
        ] {
            let error = judged(expected, reply).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn the_beginning_of_a_value_is_no_mismatch() {
        let json = ExpectedJson::parse(br#"{"a":12}"#).unwrap();
        let reply = br#"{"a":12}"#;
        for end in 0..reply.len() {
            assert_eq!(
                json.judge(&reply[..end], false),
                Judgement::Partial,
                "{end}"
            );
        }
        assert!(matches!(json.judge(reply, false), Judgement::Match(_)));
        let number = ExpectedJson::parse(b"12").unwrap();
        assert_eq!(number.judge(b"1", false), Judgement::Partial);
        assert!(matches!(number.judge(b"{}", false), Judgement::Mismatch(_)));
    }
}
