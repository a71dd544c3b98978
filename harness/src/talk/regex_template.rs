//! A regex with placeholders, matched without compiling it for every request.
//!
//! Each placeholder is compiled once as a group that matches any possible value. If this looser
//! pattern does not match, the strict one with the values filled in does not match either. If it
//! matches and every group equals its value, the strict one has the same match, because both try
//! the same alternatives in the same order. Otherwise (the looser one matched something else, or a
//! placeholder is inside a group) the strict pattern is compiled.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::bytes::{Captures, Regex};

use super::pattern::{compile, compile_filled_in};
use super::regex_split::{RegexPiece, Splitter};
use super::template::{Bindings, Name, RenderError, Slot, TemplateError};
use super::token::{TOKEN_LEN, is_token};

/// Prefix of the names of groups that represent placeholders.
const GROUP: &str = "tcprove_slot_";

/// A regex with placeholders, split and compiled.
#[derive(Debug, Clone)]
pub struct RegexTemplate {
    source: String,
    pieces: Vec<RegexPiece>,
    loose: Regex,
    /// Whether every placeholder is outside all groups and not repeated.
    flat: bool,
}

impl RegexTemplate {
    /// Splits and compiles `source`.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let (pieces, flat) = Splitter::new(source).split()?;
        Self::of_pieces(source.to_owned(), pieces, flat)
    }

    /// Compiles the pieces of `source`. `flat` tells whether every placeholder is outside all groups and not repeated.
    pub(super) fn of_pieces(
        source: String,
        pieces: Vec<RegexPiece>,
        flat: bool,
    ) -> Result<Self, TemplateError> {
        match compile(&loosen(&pieces)) {
            Ok(loose) => Ok(Self {
                source,
                pieces,
                loose,
                flat,
            }),
            Err(why) => Err(TemplateError {
                message: format!("bad regex: {why}"),
                fragment: source,
                help: None,
            }),
        }
    }

    /// The regex as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The placeholders, in order.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.pieces.iter().filter_map(|piece| match piece {
            RegexPiece::Pattern(_) => None,
            RegexPiece::Slot(slot) => Some(slot),
        })
    }

    /// The names of its own groups.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        let names = self.loose.capture_names().flatten();
        names.filter(|name| !name.starts_with(GROUP))
    }

    /// Whether it matches anything, including nothing, and so compares nothing.
    pub fn is_vacuous(&self) -> bool {
        self.slots().next().is_none()
            && self.loose.is_match(b"")
            && self.loose.is_match(b"\x01 no server says this \xff\n~")
    }

    /// Whether it matches the empty string, whatever the values of its placeholders are, and so is met by a server that
    /// says nothing.
    pub fn matches_empty(&self) -> bool {
        let values = self.slots().map(|_| b"x".to_vec()).collect::<Vec<_>>();
        let strict = compile(&filled_in(&self.pieces, &values));
        strict.is_ok_and(|strict| strict.is_match(b""))
    }

    /// Fills in the placeholders.
    pub fn render(self: &Arc<Self>, bindings: &Bindings) -> Result<RenderedRegex, RenderError> {
        let mut values = Vec::new();
        let mut plain_token = true;
        for slot in self.slots() {
            let mut value = Vec::new();
            slot.render(bindings, &mut value)?;
            if is_token_slot(slot) {
                plain_token &= is_token(&bindings.tok);
            }
            values.push(value);
        }
        Ok(RenderedRegex {
            template: Arc::clone(self),
            values,
            plain_token,
        })
    }
}

fn is_token_slot(slot: &Slot) -> bool {
    slot.name == Name::Tok && slot.is_plain()
}

/// A regex with its placeholders filled in.
#[derive(Debug, Clone)]
pub struct RenderedRegex {
    template: Arc<RegexTemplate>,
    values: Vec<Vec<u8>>,
    /// Whether the token has the usual form, which the looser pattern requires.
    plain_token: bool,
}

impl RenderedRegex {
    /// The named groups of the first match, if any.
    ///
    /// # Errors
    /// The pattern with its values filled in is too large to compile.
    pub fn find(&self, text: &[u8]) -> Result<Option<BTreeMap<String, Vec<u8>>>, String> {
        if self.plain_token {
            let Some(captures) = self.template.loose.captures(text) else {
                return Ok(None);
            };
            if self.values.is_empty() || (self.template.flat && self.holds(&captures)) {
                return Ok(Some(groups(&self.template.loose, &captures)));
            }
        }
        let strict = compile_filled_in(&self.strict())?;
        let captures = strict.captures(text);
        Ok(captures.map(|captures| groups(&strict, &captures)))
    }

    fn holds(&self, captures: &Captures<'_>) -> bool {
        self.values.iter().enumerate().all(|(index, value)| {
            match captures.name(&format!("{GROUP}{index}")) {
                Some(found) => found.as_bytes() == value.as_slice(),
                // The match used an alternative without this placeholder.
                None => true,
            }
        })
    }

    /// The pattern with its escaped values filled in.
    pub fn strict(&self) -> String {
        filled_in(&self.template.pieces, &self.values)
    }

    /// The pattern for messages, with unescaped values cut to 64 bytes.
    pub fn shown(&self) -> String {
        let mut values = self.values.iter();
        let pieces = self.template.pieces.iter();
        pieces.fold(String::new(), |mut shown, piece| {
            match piece {
                RegexPiece::Pattern(text) => shown.push_str(text),
                RegexPiece::Slot(_) => {
                    let value = values.next().map(Vec::as_slice).unwrap_or_default();
                    shown.push_str(&String::from_utf8_lossy(&value[..value.len().min(64)]));
                }
            }
            shown
        })
    }
}

/// The pattern with its escaped values filled in.
fn filled_in(pieces: &[RegexPiece], values: &[Vec<u8>]) -> String {
    let mut pattern = String::new();
    let mut values = values.iter();
    for piece in pieces {
        match piece {
            RegexPiece::Pattern(text) => pattern.push_str(text),
            RegexPiece::Slot(_) => {
                let value = values.next().map(Vec::as_slice).unwrap_or_default();
                pattern.push_str("(?:");
                escape_into(value, &mut pattern);
                pattern.push(')');
            }
        }
    }
    pattern
}

fn groups(regex: &Regex, captures: &Captures<'_>) -> BTreeMap<String, Vec<u8>> {
    regex
        .capture_names()
        .flatten()
        .filter(|name| !name.starts_with(GROUP))
        .filter_map(|name| Some((name.to_owned(), captures.name(name)?.as_bytes().to_vec())))
        .collect()
}

/// Appends a value so that the regex matches it literally, whatever its bytes and the flags are.
pub(super) fn escape_into(value: &[u8], pattern: &mut String) {
    for chunk in value.utf8_chunks() {
        for character in regex::escape(chunk.valid()).chars() {
            match character {
                // `(?x)` would ignore these.
                ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c' => {
                    pattern.push_str(&format!("\\x{:02x}", u32::from(character)));
                }
                other => pattern.push(other),
            }
        }
        for byte in chunk.invalid() {
            pattern.push_str(&format!("(?-u:\\x{byte:02x})"));
        }
    }
}

fn loosen(pieces: &[RegexPiece]) -> String {
    let mut pattern = String::new();
    let mut index = 0;
    for piece in pieces {
        match piece {
            RegexPiece::Pattern(text) => pattern.push_str(text),
            RegexPiece::Slot(slot) => {
                let any = if is_token_slot(slot) {
                    format!("[a-z][a-z0-9]{{{}}}", TOKEN_LEN - 1)
                } else {
                    "(?s-u:.)*".to_owned()
                };
                pattern.push_str(&format!("(?P<{GROUP}{index}>{any})"));
                index += 1;
            }
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bindings(payload: &[u8]) -> Bindings {
        Bindings {
            tok: "abc123def456".to_owned(),
            payload: payload.to_vec(),
            values: BTreeMap::from([("id".to_owned(), b"a+b c".to_vec())]),
            ..Bindings::default()
        }
    }

    fn render(source: &str, payload: &[u8]) -> RenderedRegex {
        let template = Arc::new(RegexTemplate::parse(source).unwrap());
        template.render(&bindings(payload)).unwrap()
    }

    fn matches(source: &str, payload: &[u8], text: &[u8]) -> bool {
        render(source, payload).find(text).unwrap().is_some()
    }

    #[test]
    fn values_are_literal_and_quantifiers_work() {
        assert!(matches(
            r"^\$\d{2,5}\r\n{tok}\r\n$",
            b"",
            b"$12\r\nabc123def456\r\n"
        ));
        assert!(!matches(
            r"^\$\d{2,5}\r\n{tok}\r\n$",
            b"",
            b"$12\r\nabc123def457\r\n"
        ));
        assert!(matches("^{id}$", b"", b"a+b c"));
        assert!(!matches("^{id}$", b"", b"aab c"));
        assert!(matches("(?x) ^ {id} $", b"", b"a+b c"));
        assert!(matches("(?i)^{tok}$", b"", b"ABC123def456"));
        assert!(matches(r"^{{\{[{{x]{3}$", b"", b"{{{x{"));
        assert!(matches(
            r"^\p{Greek}{payload}\x{41}$",
            b"(",
            "α(A".as_bytes()
        ));
    }

    #[test]
    fn any_bytes_can_be_a_value() {
        assert!(matches("^{payload}$", b"\xff\xfe\0\n", b"\xff\xfe\0\n"));
        assert!(!matches("^{payload}$", b"\xff\xfe", b"\xff\xfd"));
        assert!(matches("^(?:{payload})$", b"\xff(\n", b"\xff(\n"));
    }

    #[test]
    fn falls_back_where_the_looser_pattern_took_something_else() {
        // Unanchored: the looser pattern finds the first twelve letters, which are not the token.
        assert!(matches("{tok}", b"", b"zzzzzzzzzzzz abc123def456"));
        assert!(matches("{payload}x", b"ab", b"abx..x"));
        // Repeated in a group: only the last repetition is captured.
        assert!(!matches("^(?:{payload},)+$", b"ab", b"zz,ab,"));
        assert!(matches("^(?:{payload},)+$", b"ab", b"ab,ab,"));
        assert!(matches("^{payload}{2}$", b"ab", b"abab"));
        assert!(matches("^{payload}?$", b"ab", b""));
    }

    #[test]
    fn an_unusual_token_still_works() {
        let template = Arc::new(RegexTemplate::parse("^{tok}$").unwrap());
        let mut odd = bindings(b"");
        odd.tok = "T".to_owned();
        assert!(template.render(&odd).unwrap().find(b"T").unwrap().is_some());
    }

    #[test]
    fn groups_are_returned() {
        let rendered = render(r"^(?P<id>\d+) {tok} (?P<rest>.*)$", b"");
        let groups = rendered.find(b"42 abc123def456 end").unwrap().unwrap();
        assert_eq!(groups["id"], b"42");
        assert_eq!(groups["rest"], b"end");
        assert_eq!(groups.len(), 2);
    }

    #[test]
    fn refuses() {
        for (source, message) in [
            ("(", "unclosed group"),
            ("[{tok}]", "inside [...]"),
            ("{tok", "unbalanced"),
            ("a**{", "unbalanced"),
        ] {
            let error = RegexTemplate::parse(source).unwrap_err();
            assert!(
                error.message.contains(message),
                "{source}: {}",
                error.message
            );
        }
        assert!(RegexTemplate::parse(".*").unwrap().is_vacuous());
        assert!(RegexTemplate::parse(r"^\d*").unwrap().is_vacuous());
        assert!(!RegexTemplate::parse("^$").unwrap().is_vacuous());
        assert!(!RegexTemplate::parse("^OK").unwrap().is_vacuous());
        for (source, empty) in [
            ("^$", true),
            ("a*", true),
            ("a|{tok}?", true),
            ("^{payload}$", false),
            ("^a", false),
        ] {
            assert_eq!(
                RegexTemplate::parse(source).unwrap().matches_empty(),
                empty,
                "{source}"
            );
        }
    }

    proptest! {
        #[test]
        fn the_shortcut_says_what_the_strict_pattern_says(
            source in proptest::sample::select(vec![
                "{payload}", "^{payload}", "{payload}$", "^a{payload}b$", "a|{payload}b", "^{payload}(?P<g>.*){payload}$",
                "x*{payload}{id}|b", "(a|{payload})+", "^{payload}?b", "(?P<g>a*){payload}(?P<h>b*)", "(?U){payload}(?P<g>a*)",
            ]),
            payload in "[ab(.]{0,3}",
            text in "[ab(. +c]{0,9}",
        ) {
            let rendered = render(source, payload.as_bytes());
            let strict = compile(&rendered.strict()).unwrap();
            let expected = strict.captures(text.as_bytes()).map(|captures| groups(&strict, &captures));
            prop_assert_eq!(rendered.find(text.as_bytes()).unwrap(), expected);
        }

        #[test]
        fn splitting_never_panics(source in "[\\[\\](){}\\\\pxtok:^*+?é ,1-9|]{0,20}") {
            let _ = RegexTemplate::parse(&source);
        }
    }
}
