//! What replies have in common, as an expectation in the words of the file. Pure.

use super::Compared;
use crate::text::toml_string;

/// A reply, and the words of its request that it may contain.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub token: String,
    /// The word in place of `{payload}`; empty if the request had none.
    pub payload: String,
    pub reply: Vec<u8>,
}

/// A byte of a reply, or one of the request's words in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Byte(u8),
    Token,
    Payload,
}

/// The expectation that all samples meet, in TOML, as strict as they allow; and what it compares.
pub(super) fn of(samples: &[Sample]) -> (String, Compared) {
    let replies: Vec<Vec<Unit>> = samples.iter().map(|sample| units(sample, false)).collect();
    let folded: Vec<Vec<Unit>> = samples.iter().map(|sample| units(sample, true)).collect();
    let has_token =
        |replies: &[Vec<Unit>]| replies.iter().all(|reply| reply.contains(&Unit::Token));
    let Some(first) = replies.first() else {
        return (regex_value(".".to_owned()), Compared::End);
    };
    if replies.iter().all(|reply| reply == first) && !has_clock(first) {
        let compared = if first.contains(&Unit::Token) {
            Compared::Token
        } else {
            Compared::Constant
        };
        return (exact(first), compared);
    }
    if replies.iter().all(|reply| reply == first) {
        let compared = if first.contains(&Unit::Token) {
            Compared::Token
        } else {
            Compared::Parts
        };
        return (regex_value(format!("^{}$", pattern(first, true))), compared);
    }
    // The server may change the case of what it repeats.
    if !has_token(&replies) && has_token(&folded) && folded.iter().all(|reply| *reply == folded[0])
    {
        let source = format!("(?i)^{}$", pattern(&folded[0], false));
        return (regex_value(source), Compared::Token);
    }
    in_common(&replies)
}

/// The reply with the request's words found in it, in any case if `fold`.
fn units(sample: &Sample, fold: bool) -> Vec<Unit> {
    let reply = if fold {
        sample.reply.to_ascii_lowercase()
    } else {
        sample.reply.clone()
    };
    let words = [
        (sample.token.as_bytes(), Unit::Token),
        (sample.payload.as_bytes(), Unit::Payload),
    ];
    let mut units = Vec::new();
    let mut rest = reply.as_slice();
    while let Some((byte, after)) = rest.split_first() {
        let word = words
            .iter()
            .find(|(word, _)| !word.is_empty() && rest.starts_with(word));
        match word {
            Some((word, unit)) => {
                units.push(*unit);
                rest = &rest[word.len()..];
            }
            None => {
                units.push(Unit::Byte(*byte));
                rest = after;
            }
        }
    }
    units
}

/// What the beginnings and the ends of all replies have in common.
fn in_common(replies: &[Vec<Unit>]) -> (String, Compared) {
    let first = &replies[0];
    let shortest = replies.iter().map(Vec::len).min().unwrap_or(0);
    let same = |at: usize| replies.iter().all(|reply| reply[at] == first[at]);
    let before = (0..shortest).take_while(|at| same(*at)).count();
    let same_end = |back: usize| {
        replies
            .iter()
            .all(|reply| reply[reply.len() - back] == first[first.len() - back])
    };
    let after = (1..=shortest - before)
        .take_while(|back| same_end(*back))
        .count();
    // A word that varies may begin or end alike by chance.
    let before = before - trailing_word(first[..before].iter().rev());
    let after = after - trailing_word(first[first.len() - after..].iter());
    let (start, end) = (&first[..before], &first[first.len() - after..]);
    let has_token = start.contains(&Unit::Token) || end.contains(&Unit::Token);
    let says_something = |units: &[Unit]| {
        units
            .iter()
            .any(|unit| !matches!(unit, Unit::Byte(b'\r' | b'\n' | b' ')))
    };
    let compared = if has_token {
        Compared::Token
    } else if says_something(start) || says_something(end) {
        Compared::Parts
    } else {
        Compared::End
    };
    let middle = if compared == Compared::End {
        ".+"
    } else {
        ".*"
    };
    let source = format!(
        "(?s)^{}{middle}{}$",
        pattern(start, true),
        pattern(end, true)
    );
    (regex_value(source), compared)
}

/// The length of the word, number or time at the begin of these units.
fn trailing_word<'a>(units: impl Iterator<Item = &'a Unit>) -> usize {
    let in_word = |unit: &&Unit| match unit {
        Unit::Byte(byte) => byte.is_ascii_alphanumeric() || b"._:-+/=".contains(byte),
        Unit::Token | Unit::Payload => false,
    };
    units.take_while(in_word).count()
}

/// Whether the reply contains a time of day, which is the same for a while only.
fn has_clock(reply: &[Unit]) -> bool {
    let digit = |unit: &Unit| matches!(unit, Unit::Byte(byte) if byte.is_ascii_digit());
    reply.windows(4).any(|four| {
        digit(&four[0]) && four[1] == Unit::Byte(b':') && digit(&four[2]) && digit(&four[3])
    })
}

fn exact(reply: &[Unit]) -> String {
    let bytes: Option<Vec<u8>> = reply
        .iter()
        .map(|unit| match unit {
            Unit::Byte(byte) => Some(*byte),
            Unit::Token | Unit::Payload => None,
        })
        .collect();
    match (template(reply), bytes) {
        (Some(text), _) => toml_string(&text),
        (None, Some(bytes)) => {
            let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{{ hex = \"{}\" }}", digits.join(" "))
        }
        (None, None) => regex_value(format!("(?s)^{}$", pattern(reply, false))),
    }
}

/// The text of a template; `None` if it is not UTF-8.
fn template(reply: &[Unit]) -> Option<String> {
    let mut text = String::new();
    for (run, slot) in runs(reply) {
        let literal = std::str::from_utf8(&run).ok()?;
        text.push_str(&escaped_braces(literal, slot.is_some()));
        text.push_str(slot.map_or("", name));
    }
    // `eof` is a word of the file.
    (text != "eof").then_some(text)
}

/// Doubles the braces that would begin a placeholder.
pub(super) fn escaped_braces(literal: &str, before_slot: bool) -> String {
    let mut text = String::new();
    let mut rest = literal.chars().peekable();
    while let Some(character) = rest.next() {
        text.push(character);
        let begins = match rest.peek() {
            Some(next) => next.is_ascii_alphabetic() || *next == '_' || *next == '{',
            None => before_slot,
        };
        if character == '{' && begins {
            text.push('{');
        }
    }
    text
}

/// A regex for these units. With `numbers`, any number fits where there is one.
fn pattern(units: &[Unit], numbers: bool) -> String {
    let mut source = String::new();
    for (run, slot) in runs(units) {
        for chunk in run.utf8_chunks() {
            let literal = regex::escape(chunk.valid());
            source.push_str(&if numbers {
                any_number(&literal)
            } else {
                literal
            });
            for byte in chunk.invalid() {
                source.push_str(&format!("(?-u:\\x{byte:02x})"));
            }
        }
        source.push_str(slot.map_or("", name));
    }
    source
        .replace('\n', "\\n")
        .replace('\r', "\\r")
        .replace('\t', "\\t")
}

fn any_number(literal: &str) -> String {
    let mut source = String::new();
    let mut in_number = false;
    for character in literal.chars() {
        if !character.is_ascii_digit() {
            source.push(character);
        } else if !in_number {
            source.push_str("[0-9]+");
        }
        in_number = character.is_ascii_digit();
    }
    source
}

/// Runs of bytes, each with the word that follows it.
fn runs(units: &[Unit]) -> Vec<(Vec<u8>, Option<Unit>)> {
    let mut runs = Vec::new();
    let mut run = Vec::new();
    for unit in units {
        match unit {
            Unit::Byte(byte) => run.push(*byte),
            slot => runs.push((std::mem::take(&mut run), Some(*slot))),
        }
    }
    runs.push((run, None));
    runs
}

fn name(slot: Unit) -> &'static str {
    match slot {
        Unit::Payload => "{payload}",
        Unit::Token | Unit::Byte(_) => "{tok}",
    }
}

/// A regex that says nothing of the value of the field `Date` of HTTP, which names the day and the month.
fn without_date(source: &str) -> String {
    let name = r"\r\nDate: ";
    let Some(value) = source.find(name).map(|at| at + name.len()) else {
        return source.to_owned();
    };
    let len = source[value..].find(r"\r\n").unwrap_or(0);
    format!("{}.*{}", &source[..value], &source[value + len..])
}

fn regex_value(source: String) -> String {
    let source = without_date(&source);
    // A backslash needs no second one in a literal string.
    if source.contains('\'') || source.chars().any(char::is_control) {
        return format!("{{ regex = {} }}", toml_string(&source));
    }
    format!("{{ regex = '{source}' }}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: [&str; 3] = ["a1b2c3d4e5f6", "a1zzzzzzzz00", "99qqwwrrttyy"];

    fn samples(reply: impl Fn(&str, usize) -> Vec<u8>) -> Vec<Sample> {
        let tokens = TOKENS.iter().enumerate();
        tokens
            .map(|(index, token)| Sample {
                token: (*token).to_owned(),
                payload: String::new(),
                reply: reply(token, index),
            })
            .collect()
    }

    fn shown(reply: impl Fn(&str, usize) -> Vec<u8>) -> (String, Compared) {
        let (text, compared) = of(&samples(reply));
        // Whatever it is, the file takes it.
        let file = format!(
            "[talk]\nframe = \"none\"\n[[talk.turn]]\nsend = \"{{tok}}\"\nexpect = {text}\n"
        );
        super::super::Sketch::parse(&file)
            .unwrap()
            .file("x")
            .unwrap();
        (text, compared)
    }

    #[test]
    fn the_token_is_found() {
        let (text, compared) = shown(|token, _| format!("you said {token}\n").into_bytes());
        assert_eq!(
            (text.as_str(), compared),
            (r#""you said {tok}\n""#, Compared::Token)
        );
        let (text, _) = shown(|token, _| format!("{{\"id\":{{x{{{token}}}}}\n").into_bytes());
        assert_eq!(text, r#""{\"id\":{{x{{{tok}}}\n""#);
        let (text, compared) = shown(|token, _| token.to_uppercase().into_bytes());
        assert_eq!(
            (text.as_str(), compared),
            ("{ regex = '(?i)^{tok}$' }", Compared::Token)
        );
    }

    #[test]
    fn constant_replies() {
        let (text, compared) = shown(|_, _| "ok, 问题\n".into());
        assert_eq!(
            (text.as_str(), compared),
            ("\"ok, 问题\\n\"", Compared::Constant)
        );
        let (text, _) = shown(|_, _| vec![0xff, 0]);
        assert_eq!(text, r#"{ hex = "ff 00" }"#);
        let (text, compared) = shown(|_, _| b"it is 18:45:47 now\n".to_vec());
        assert_eq!(compared, Compared::Parts, "{text}");
        assert_eq!(text, r"{ regex = '^it is [0-9]+:[0-9]+:[0-9]+ now\n$' }");
    }

    #[test]
    fn the_day_of_a_reply_is_not_expected() {
        let (text, _) = shown(|token, _| {
            format!("HTTP/1.1 200 OK\r\nDate: Mon, 30 Nov 2026 21:09:20 GMT\r\n\r\n{token}")
                .into_bytes()
        });
        assert_eq!(
            text,
            r"{ regex = '^HTTP/[0-9]+\.[0-9]+ [0-9]+ OK\r\nDate: .*\r\n\r\n{tok}$' }"
        );
    }

    #[test]
    fn replies_that_vary() {
        let (text, compared) = shown(|_, index| format!("id=101{index} ok\r\n").into_bytes());
        assert_eq!(compared, Compared::Parts, "{text}");
        assert_eq!(text, r"{ regex = '(?s)^.* ok\r\n$' }");
        let (text, compared) = shown(|_, index| format!("{}\n", index * 7919).into_bytes());
        assert_eq!(
            (text.as_str(), compared),
            (r"{ regex = '(?s)^.+\n$' }", Compared::End)
        );
        let (text, compared) = shown(|token, index| format!("#{index} got {token}\n").into_bytes());
        assert_eq!(compared, Compared::Token);
        assert_eq!(text, r"{ regex = '(?s)^\#.* got {tok}\n$' }");
    }
}
