//! Templates: text with `{identifier}` placeholders.
//!
//! `{` starts a placeholder only if a letter or `_` follows. `{{` is one literal brace. Any other
//! `{` is literal, so `{"a": 1}` and a regex's `{2,5}` need no escaping. `}` is special only in a
//! placeholder: `}}` is two braces.

use std::fmt;

use super::slot::Encoding;
pub use super::slot::{Bindings, RenderError};
pub(crate) use super::slot::{Name, Slot};
pub(crate) use super::slot::{TemplateError, further_port};

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TemplatePiece {
    /// Literal text.
    Text(String),
    /// A placeholder.
    Slot(Slot),
}

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    pieces: Vec<TemplatePiece>,
}

impl Template {
    /// Parses `text`. The caller must check whether the names are known, see [`Template::slots`].
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            literal.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            match Brace::at(after)? {
                Brace::Escaped => {
                    literal.push('{');
                    rest = &after[1..];
                }
                Brace::Itself => {
                    literal.push('{');
                    rest = after;
                }
                Brace::Slot(slot, len) => {
                    if !literal.is_empty() {
                        pieces.push(TemplatePiece::Text(std::mem::take(&mut literal)));
                    }
                    pieces.push(TemplatePiece::Slot(slot));
                    rest = &after[len..];
                }
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(TemplatePiece::Text(literal));
        }
        let mut template = Self { pieces };
        template.place_in_json(&mut Quotes::default());
        Ok(template)
    }

    /// Tells the `{json:name}` inside the quotes of a JSON string from those that write their own quotes. `quotes` is
    /// the state at the start of this template, and then at its end.
    pub(crate) fn place_in_json(&mut self, quotes: &mut Quotes) {
        for piece in &mut self.pieces {
            match piece {
                TemplatePiece::Text(text) => quotes.pass(text),
                TemplatePiece::Slot(slot) => quotes.place(slot),
            }
        }
    }

    pub(crate) fn pieces(&self) -> &[TemplatePiece] {
        &self.pieces
    }

    /// The placeholders, in order.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.pieces.iter().filter_map(|piece| match piece {
            TemplatePiece::Text(_) => None,
            TemplatePiece::Slot(slot) => Some(slot),
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Appends the template with its placeholders filled in.
    pub fn render(&self, bindings: &Bindings, out: &mut Vec<u8>) -> Result<(), RenderError> {
        for piece in &self.pieces {
            match piece {
                TemplatePiece::Text(text) => out.extend_from_slice(text.as_bytes()),
                TemplatePiece::Slot(slot) => slot.render(bindings, out)?,
            }
        }
        Ok(())
    }
}

/// As it is parsed, except that a literal brace is not escaped.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            TemplatePiece::Text(text) => f.write_str(text),
            TemplatePiece::Slot(slot) => slot.fmt(f),
        })
    }
}

/// Fills in the placeholders of a word of a command. A placeholder without a value stays as it is, and
/// so does a word that is not a template: where a command is read from a file, both are errors.
pub(crate) fn fill(word: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let Ok(template) = Template::parse(word) else {
        return word.to_owned();
    };
    let mut filled = Vec::with_capacity(word.len());
    for piece in template.pieces() {
        match piece {
            TemplatePiece::Text(text) => filled.extend_from_slice(text.as_bytes()),
            TemplatePiece::Slot(slot) => match value(slot.name.as_str()) {
                Some(value)
                    if slot.is_text() && slot.write(value.as_bytes(), &mut filled).is_ok() => {}
                _ => filled.extend_from_slice(slot.to_string().as_bytes()),
            },
        }
    }
    String::from_utf8_lossy(&filled).into_owned()
}

/// Whether a place in a text is inside a JSON string.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Quotes {
    inside: bool,
    /// The text is a regex, in which a backslash before a quote does not make it part of the string.
    regex: bool,
}

impl Quotes {
    /// At the start of a regex.
    pub(crate) fn of_regex() -> Self {
        Self {
            inside: false,
            regex: true,
        }
    }

    /// Moves on by `text`.
    pub(crate) fn pass(&mut self, text: &str) {
        let mut backslashes = 0;
        for byte in text.bytes() {
            match byte {
                b'\\' => backslashes += 1,
                b'"' => {
                    let escaped = match self.regex {
                        true => backslashes >= 2,
                        false => backslashes % 2 == 1,
                    };
                    self.inside ^= !escaped;
                    backslashes = 0;
                }
                _ => backslashes = 0,
            }
        }
    }

    /// Decides whether a `{json:name}` at this place writes quotes.
    pub(crate) fn place(&self, slot: &mut Slot) {
        if let (Encoding::Json { quoted }, None) = (&mut slot.encoding, slot.measure) {
            *quoted = !self.inside;
        }
    }
}

/// The meaning of an opening brace.
pub(crate) enum Brace {
    /// `{{`
    Escaped,
    /// A literal brace.
    Itself,
    /// A placeholder, and the number of bytes after its opening brace.
    Slot(Slot, usize),
}

impl Brace {
    /// Examines the text after an opening brace.
    pub(crate) fn at(after: &str) -> Result<Self, TemplateError> {
        match after.chars().next() {
            Some('{') => return Ok(Self::Escaped),
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {}
            Some(_) => return Self::spaced(after),
            None => {
                return Err(TemplateError {
                    message: "unbalanced brace at the end".to_owned(),
                    fragment: "{".to_owned(),
                    help: Some("write `{{` for a literal brace".to_owned()),
                });
            }
        }
        let end = after
            .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | ':' | '+' | '.'))
            .unwrap_or(after.len());
        let inside = &after[..end];
        if !after[end..].starts_with('}') {
            return Err(TemplateError {
                message: format!("unbalanced brace: `{{{inside}` is not closed"),
                fragment: format!("{{{inside}"),
                help: Some(format!(
                    "write `{{{inside}}}` for a value, or `{{{{` for a literal brace"
                )),
            });
        }
        Ok(Self::Slot(Slot::parse(inside)?, end + 1))
    }

    /// `{ tok }` is almost certainly meant as a placeholder. Any other brace with a space is
    /// literal.
    fn spaced(after: &str) -> Result<Self, TemplateError> {
        let inside = after.split('}').next().unwrap_or_default();
        let name = inside.trim();
        let bare = name.rsplit(':').next().unwrap_or_default();
        let meant = inside.len() < after.len()
            && !name.contains('"')
            && matches!(bare, "tok" | "payload" | "seq" | "port" | "tmp");
        if !meant {
            return Ok(Self::Itself);
        }
        Err(TemplateError {
            message: format!("spaces inside the braces of `{{{inside}}}`"),
            fragment: format!("{{{inside}}}"),
            help: Some(format!(
                "write `{{{name}}}` for the value, or `{{{{` for a literal brace"
            )),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn bindings() -> Bindings {
        Bindings {
            tok: "abcdefghijkl".to_owned(),
            payload: "é\0".as_bytes().to_vec(),
            seq: 7,
            n: 300,
            values: BTreeMap::from([("port".to_owned(), b"7000".to_vec())]),
            ..Bindings::default()
        }
    }

    fn fill(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        Template::parse(text)
            .unwrap()
            .render(&bindings(), &mut out)
            .unwrap();
        out
    }

    #[test]
    fn fills_in() {
        assert_eq!(fill("ECHO {tok}\r\n"), b"ECHO abcdefghijkl\r\n");
        assert_eq!(fill("{len:payload}:{payload}"), b"3:\xc3\xa9\0");
        assert_eq!(
            fill("{u32be:payload}|{u16le:tok}|{u8:port}"),
            b"\0\0\0\x03|\x0c\0|\x04"
        );
        assert_eq!(fill("{port}{port}"), b"70007000");
        let mut bound = bindings();
        bound.values.insert("port:admin".into(), b"7001".to_vec());
        let template = Template::parse("{port}|{port:admin}").unwrap();
        let mut out = Vec::new();
        template.render(&bound, &mut out).unwrap();
        assert_eq!(out, b"7000|7001");
    }

    #[test]
    fn encodings() {
        assert_eq!(
            fill("{hex:payload}|{base64:payload}|{url:payload}"),
            b"c3a900|w6kA|%C3%A9%00"
        );
        assert_eq!(fill("{base64:tok}"), b"YWJjZGVmZ2hpamts");
        assert_eq!(fill("{url:port}"), b"7000");
        assert_eq!(fill("{hex:n}"), b"333030");
    }

    /// A JSON string gets its quotes from the template or from the placeholder.
    #[test]
    fn json_strings() {
        let text = "é\\u0000";
        assert_eq!(
            fill(r#"{"a":{json:payload}}"#),
            format!(r#"{{"a":"{text}"}}"#).as_bytes()
        );
        assert_eq!(
            fill(r#"{"a":"x{json:payload}","b":{json:tok}}"#),
            format!(r#"{{"a":"x{text}","b":"abcdefghijkl"}}"#).as_bytes()
        );
        assert_eq!(fill(r#""\"{json:tok}""#), br#""\"abcdefghijkl""#);
        assert_eq!(fill("{len:json:payload}"), b"8");
        let mut bytes = bindings();
        bytes.payload = vec![0xff];
        let template = Template::parse("{json:payload}").unwrap();
        assert_eq!(
            template.render(&bytes, &mut Vec::new()),
            Err(RenderError::NotText("payload".to_owned()))
        );
    }

    #[test]
    fn lengths_and_sums() {
        assert_eq!(fill("{len:payload+4} {len:base64:payload}"), b"7 4");
        assert_eq!(
            fill("{u16be:tok+300}{varint:tok+300}{ber:tok+300}"),
            b"\x01\x38\xb8\x02\x82\x01\x38"
        );
        assert_eq!(fill("{u8:hex:tok}"), [24]);
    }

    #[test]
    fn numbers() {
        assert_eq!(fill("{seq} {seq+10} {n}"), b"7 17 300");
        assert_eq!(
            fill("{u16be:seq}{u16le:n}{varint:n}{u8:seq+1}"),
            b"\0\x07\x2c\x01\xac\x02\x08"
        );
        assert_eq!(fill("{len:n}"), b"3");
        // One byte holds 1 to 255, and then begins again.
        let one_byte = |seq| {
            let bindings = Bindings { seq, ..bindings() };
            let mut out = Vec::new();
            let template = Template::parse("{u8:seq}").unwrap();
            template.render(&bindings, &mut out).unwrap();
            out
        };
        assert_eq!(
            [254, 255, 256, 510, 511].map(|seq| one_byte(seq)[0]),
            [254, 255, 1, 255, 1]
        );
    }

    #[test]
    fn every_form_is_shown_as_it_is_written() {
        for text in [
            "{tok}",
            "{len:payload+4}",
            "{u32be:json:x}",
            "{varint:n}",
            "{ber:base64:tok}",
            "{seq+3}",
            "{url:x}",
        ] {
            let template = Template::parse(text).unwrap();
            assert_eq!(template.slots().next().unwrap().to_string(), text);
        }
    }

    #[test]
    fn fills_in_a_word_of_a_command() {
        let value = |name: &str| (name == "port").then(|| "81".to_owned());
        assert_eq!(super::fill("--port={port}", value), "--port=81");
        assert_eq!(super::fill("é{len:port}é}", value), "é2é}");
        assert_eq!(
            super::fill(r#"{"a":{"b":{port}}}"#, value),
            r#"{"a":{"b":81}}"#
        );
        assert_eq!(
            super::fill("{{port} {nope} {u8:port}", value),
            "{port} {nope} {u8:port}"
        );
        assert_eq!(super::fill("{port} {port", value), "{port} {port");
    }

    #[test]
    fn braces_that_are_no_placeholders() {
        assert_eq!(fill(r#"{"a":{"b":[{}]}}"#), br#"{"a":{"b":[{}]}}"#);
        assert_eq!(fill("{{tok}"), b"{tok}");
        assert_eq!(fill("{{{tok}}"), b"{abcdefghijkl}");
        assert_eq!(fill("a } b }} {3} {,2}"), b"a } b }} {3} {,2}");
    }

    #[test]
    fn refuses() {
        for (text, message) in [
            ("{tok", "unbalanced"),
            ("{tok ", "unbalanced"),
            ("x{", "unbalanced"),
            ("{ tok }", "spaces"),
            ("{u16:tok}", "unknown form"),
            ("{len:}", "not a placeholder"),
            ("{len:len:tok}", "not a placeholder"),
            ("{json:len:tok}", "not a placeholder"),
            ("{len:json:hex:tok}", "not a placeholder"),
            ("{tok+4}", "adds a number"),
            ("{hex:tok+4}", "adds a number"),
            ("{len:tok+}", "adds a number"),
            ("{len:tok+99999999999999999999}", "adds a number"),
            ("{ seq }", "spaces"),
        ] {
            let error = Template::parse(text).unwrap_err();
            assert!(error.message.contains(message), "{text}: {}", error.message);
        }
    }

    #[test]
    fn refuses_what_does_not_fit_or_is_not_known() {
        let mut long = bindings();
        long.payload = vec![0; 256];
        let template = Template::parse("{u8:payload}").unwrap();
        assert!(template.render(&long, &mut Vec::new()).is_err());
        let template = Template::parse("{session}").unwrap();
        assert_eq!(
            template.render(&bindings(), &mut Vec::new()),
            Err(RenderError::Unbound("session".to_owned()))
        );
    }
}
