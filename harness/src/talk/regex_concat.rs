//! A list of exact texts, bytes and regexes as one regex that matches the whole reply.

use super::message::MessagePart;
use super::regex_split::{RegexPiece, Splitter};
use super::regex_template::{RegexTemplate, escape_into};
use super::template::{TemplateError, TemplatePiece};

/// One part of the list.
pub(crate) enum ConcatPart<'a> {
    /// Exactly this.
    Exact(&'a MessagePart),
    /// What the regex matches. It is anchored at both ends, so `^` at its start and `$` at its end change nothing.
    Regex(&'a str),
}

impl RegexTemplate {
    /// The regex that matches the parts one after the other, and nothing else.
    pub(crate) fn concat(parts: &[ConcatPart<'_>]) -> Result<Self, TemplateError> {
        let mut joined = Joined {
            source: String::new(),
            pieces: Vec::new(),
            flat: true,
        };
        joined.pattern("\\A");
        for part in parts {
            match part {
                ConcatPart::Exact(part) => joined.exact(part),
                ConcatPart::Regex(source) => joined.regex(source)?,
            }
        }
        joined.pattern("\\z");
        Self::of_pieces(joined.source, joined.pieces, joined.flat)
    }
}

struct Joined {
    source: String,
    pieces: Vec<RegexPiece>,
    flat: bool,
}

impl Joined {
    fn pattern(&mut self, text: &str) {
        self.source.push_str(text);
        self.pieces.push(RegexPiece::Pattern(text.to_owned()));
    }

    fn piece(&mut self, piece: RegexPiece) {
        match piece {
            RegexPiece::Pattern(text) => self.pattern(&text),
            RegexPiece::Slot(slot) => {
                self.source.push_str(&slot.to_string());
                self.pieces.push(RegexPiece::Slot(slot));
            }
        }
    }

    fn exact(&mut self, part: &MessagePart) {
        match part {
            MessagePart::Text(text) => self.text(text.pieces()),
            MessagePart::Bytes(bytes) => self.literal(bytes),
            MessagePart::Repeat { text, count } => {
                self.flat &= text.slots().next().is_none();
                self.pattern("(?:");
                self.text(text.pieces());
                self.pattern(&format!("){{{count}}}"));
            }
        }
    }

    fn text(&mut self, pieces: &[TemplatePiece]) {
        for piece in pieces {
            match piece {
                TemplatePiece::Text(text) => self.literal(text.as_bytes()),
                TemplatePiece::Slot(slot) => self.piece(RegexPiece::Slot(slot.clone())),
            }
        }
    }

    fn literal(&mut self, bytes: &[u8]) {
        let mut pattern = String::new();
        escape_into(bytes, &mut pattern);
        self.pattern(&pattern);
    }

    fn regex(&mut self, source: &str) -> Result<(), TemplateError> {
        let bare = source.strip_prefix('^').unwrap_or(source);
        let bare = match bare.strip_suffix('$') {
            Some(bare) if !bare.ends_with('\\') => bare,
            _ => bare,
        };
        let (pieces, flat) = Splitter::new(bare).split()?;
        // Alternatives and flags end with the part.
        let apart = bare.contains('|') || bare.contains("(?");
        let has_slots = pieces
            .iter()
            .any(|piece| matches!(piece, RegexPiece::Slot(_)));
        self.flat &= flat && !(apart && has_slots);
        if apart {
            self.pattern("(?:");
        }
        pieces.into_iter().for_each(|piece| self.piece(piece));
        if apart {
            self.pattern(")");
        }
        Ok(())
    }
}
