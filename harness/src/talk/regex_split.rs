//! Splits a regex at its placeholders, and tells them from the regex's own braces.

use super::template::{Brace, Quotes, Slot, TemplateError};

/// A part of a regex.
#[derive(Debug, Clone)]
pub(super) enum RegexPiece {
    /// Regex syntax.
    Pattern(String),
    /// A placeholder.
    Slot(Slot),
}

/// Splits a regex at its placeholders. Knows just enough of the syntax to skip escapes, quantifiers
/// and classes.
pub(super) struct Splitter<'a> {
    rest: &'a str,
    pieces: Vec<RegexPiece>,
    literal: String,
    groups: usize,
    flat: bool,
}

impl<'a> Splitter<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self {
            rest: source,
            pieces: Vec::new(),
            literal: String::new(),
            groups: 0,
            flat: true,
        }
    }

    /// The pieces, and whether every placeholder is outside all groups and not repeated.
    pub(super) fn split(mut self) -> Result<(Vec<RegexPiece>, bool), TemplateError> {
        while let Some(next) = self.rest.chars().next() {
            match next {
                '\\' => self.take_escape(),
                '[' => self.take_class()?,
                '{' => self.take_brace()?,
                _ => {
                    self.groups = match next {
                        '(' => self.groups + 1,
                        ')' => self.groups.saturating_sub(1),
                        _ => self.groups,
                    };
                    self.take(next.len_utf8());
                }
            }
        }
        self.end_literal();
        let mut quotes = Quotes::of_regex();
        for piece in &mut self.pieces {
            match piece {
                RegexPiece::Pattern(text) => quotes.pass(text),
                RegexPiece::Slot(slot) => quotes.place(slot),
            }
        }
        Ok((self.pieces, self.flat))
    }

    fn take(&mut self, len: usize) {
        let (taken, rest) = self.rest.split_at(len);
        self.literal.push_str(taken);
        self.rest = rest;
    }

    fn end_literal(&mut self) {
        if !self.literal.is_empty() {
            let literal = std::mem::take(&mut self.literal);
            self.pieces.push(RegexPiece::Pattern(literal));
        }
    }

    /// A backslash and the escaped character; `\p{..}`, `\x{..}` and similar as a whole.
    fn take_escape(&mut self) {
        let mut characters = self.rest.chars();
        characters.next();
        let escaped = characters.next();
        let len = 1 + escaped.map_or(0, char::len_utf8);
        let braced = matches!(escaped, Some('p' | 'P' | 'x' | 'u' | 'U' | 'b'))
            && self.rest[len..].starts_with('{');
        let closing = self.rest[len..].find('}').filter(|_| braced);
        self.take(closing.map_or(len, |at| len + at + 1));
    }

    /// A class `[...]`, including nested ones. `{{` is a literal brace here too; placeholders are
    /// not allowed.
    fn take_class(&mut self) -> Result<(), TemplateError> {
        let mut depth = 0_usize;
        loop {
            match self.rest.chars().next() {
                None => return Ok(()),
                Some('\\') => self.take_escape(),
                Some('[') => {
                    depth += 1;
                    self.take(1);
                    for leading in ['^', ']'] {
                        if self.rest.starts_with(leading) {
                            self.take(1);
                        }
                    }
                }
                Some(']') => {
                    depth -= 1;
                    self.take(1);
                    if depth == 0 {
                        return Ok(());
                    }
                }
                Some('{') => match Brace::at(&self.rest[1..]) {
                    Ok(Brace::Slot(_, len)) => {
                        return Err(TemplateError {
                            message: "a placeholder cannot be used inside [...]".to_owned(),
                            fragment: self.rest[..=len].to_owned(),
                            help: Some("write `\\{` for a literal brace".to_owned()),
                        });
                    }
                    Ok(Brace::Escaped) => {
                        self.literal.push_str("\\{");
                        self.rest = &self.rest[2..];
                    }
                    Ok(Brace::Itself) | Err(_) => self.take(1),
                },
                Some(other) => self.take(other.len_utf8()),
            }
        }
    }

    fn take_brace(&mut self) -> Result<(), TemplateError> {
        match Brace::at(&self.rest[1..])? {
            Brace::Escaped => {
                self.literal.push_str("\\{");
                self.rest = &self.rest[2..];
            }
            Brace::Itself => self.take(1),
            Brace::Slot(slot, len) => {
                self.end_literal();
                self.pieces.push(RegexPiece::Slot(slot));
                self.rest = &self.rest[len + 1..];
                let repeated = match self.rest.as_bytes() {
                    [b'*' | b'+' | b'?', ..] => true,
                    [b'{', next, ..] => next.is_ascii_digit() || *next == b',',
                    _ => false,
                };
                self.flat &= self.groups == 0 && !repeated;
            }
        }
        Ok(())
    }
}
