//! Templates: text with `{identifier}` placeholders.
//!
//! `{` starts a placeholder only if a letter or `_` follows. `{{` is one literal brace. Any other
//! `{` is literal, so `{"a": 1}` and a regex's `{2,5}` need no escaping. `}` is special only in a
//! placeholder: `}}` is two braces.

use std::collections::BTreeMap;
use std::fmt;

use super::uint::Uint;

/// The values of the placeholders of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bindings {
    /// `{tok}`: unique per request.
    pub tok: String,
    /// `{payload}`.
    pub payload: Vec<u8>,
    /// `{port}`, `{port:NAME}`, `{tmp}`, parameters, and the named groups of earlier expectations.
    pub values: BTreeMap<String, Vec<u8>>,
}

impl Bindings {
    /// The value of `name`.
    pub fn get(&self, name: &Name) -> Result<&[u8], RenderError> {
        match name {
            Name::Tok => Ok(self.tok.as_bytes()),
            Name::Payload => Ok(&self.payload),
            Name::Other(name) => match self.values.get(name) {
                Some(value) => Ok(value),
                None => Err(RenderError::Unbound(name.clone())),
            },
        }
    }
}

/// Why a template could not be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The name has no value: the earlier expectation that captures it has not matched yet.
    #[error("{{{0}}} has no value")]
    Unbound(String),
    /// A length does not fit into its field.
    #[error("a length of type {field} cannot hold {len} bytes")]
    TooLong {
        /// The length to write.
        len: usize,
        /// The field's type, such as `u8`.
        field: String,
    },
}

/// An identifier in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// `{tok}`
    Tok,
    /// `{payload}`
    Payload,
    /// Any other.
    Other(String),
}

impl Name {
    pub(crate) fn new(name: &str) -> Self {
        match name {
            "tok" => Self::Tok,
            "payload" => Self::Payload,
            other => Self::Other(other.to_owned()),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Tok => "tok",
            Self::Payload => "payload",
            Self::Other(name) => name,
        }
    }
}

/// Which form of a value is inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `{name}`: the value.
    Plain,
    /// `{len:name}`: the value's length in bytes, decimal.
    Decimal,
    /// `{u32be:name}`: the value's length in bytes, binary.
    Binary(Uint),
}

/// A placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    pub name: Name,
    pub form: Form,
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_str();
        match self.form {
            Form::Plain => write!(f, "{{{name}}}"),
            Form::Decimal => write!(f, "{{len:{name}}}"),
            Form::Binary(field) => write!(f, "{{{field}:{name}}}"),
        }
    }
}

impl Slot {
    /// Whether the value stays text when it is written: a binary length does not.
    pub fn is_text(&self) -> bool {
        !matches!(self.form, Form::Binary(_))
    }

    /// Appends the value to `out`.
    pub fn render(&self, bindings: &Bindings, out: &mut Vec<u8>) -> Result<(), RenderError> {
        self.write(bindings.get(&self.name)?, out)
    }

    /// Appends `value` in the form that is asked for.
    fn write(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), RenderError> {
        match self.form {
            Form::Plain => out.extend_from_slice(value),
            Form::Decimal => out.extend_from_slice(value.len().to_string().as_bytes()),
            Form::Binary(field) if value.len() as u64 <= field.max() => {
                out.extend(field.bytes(value.len() as u64));
            }
            Form::Binary(field) => {
                return Err(RenderError::TooLong {
                    len: value.len(),
                    field: field.to_string(),
                });
            }
        }
        Ok(())
    }
}

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

/// An error in a template: a message, the text to point at, and optionally a help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    pub(crate) message: String,
    pub(crate) fragment: String,
    pub(crate) help: Option<String>,
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
        Ok(Self { pieces })
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
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':')
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
        Ok(Self::Slot(slot(inside)?, end + 1))
    }

    /// `{ tok }` is almost certainly meant as a placeholder. Any other brace with a space is
    /// literal.
    fn spaced(after: &str) -> Result<Self, TemplateError> {
        let inside = after.split('}').next().unwrap_or_default();
        let name = inside.trim();
        let bare = name.rsplit(':').next().unwrap_or_default();
        let meant =
            inside.len() < after.len() && matches!(bare, "tok" | "payload" | "port" | "tmp");
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

fn slot(inside: &str) -> Result<Slot, TemplateError> {
    let (form, name) = match inside.split_once(':') {
        None => (Form::Plain, inside),
        Some(("len", name)) => (Form::Decimal, name),
        // The whole text is the name: `{port:admin}` is a value like `{port}`.
        Some(("port", name)) if is_identifier(name) => (Form::Plain, inside),
        Some((field, name)) => match Uint::from_name(field) {
            Some(field) => (Form::Binary(field), name),
            None => {
                return Err(TemplateError {
                    message: format!("unknown form `{field}:` in `{{{inside}}}`"),
                    fragment: format!("{{{inside}}}"),
                    help: Some(format!("the forms are len, {}", Uint::NAMES.join(", "))),
                });
            }
        },
    };
    if !is_identifier(name) && !is_port(name) {
        return Err(TemplateError {
            message: format!("`{{{inside}}}` is not a placeholder"),
            fragment: format!("{{{inside}}}"),
            help: Some("a placeholder is `{name}` or `{len:name}`".to_owned()),
        });
    }
    Ok(Slot {
        name: Name::new(name),
        form,
    })
}

/// Whether `name` begins with a letter or `_`; its other characters have been checked.
fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && !name.contains(':')
}

fn is_port(name: &str) -> bool {
    further_port(name).is_some_and(is_identifier)
}

/// The NAME of `port:NAME`, which stands for a further port of the server.
pub(crate) fn further_port(name: &str) -> Option<&str> {
    name.strip_prefix("port:")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bindings() -> Bindings {
        Bindings {
            tok: "abcdefghijkl".to_owned(),
            payload: "é\0".as_bytes().to_vec(),
            values: BTreeMap::from([("port".to_owned(), b"7000".to_vec())]),
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
            ("{port:9}", "unknown form"),
            ("{port:a:b}", "unknown form"),
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
