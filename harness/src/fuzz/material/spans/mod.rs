//! Finds the fields of a message: what a parser would take apart. Works on any bytes and never fails; a message that is
//! no text is searched for lengths, tags and runs of text.

mod binary;
mod json;
mod text;

use std::ops::Range;

pub(in crate::fuzz) use binary::{InnerCode, inner_lengths};

/// Maximum bytes of a message that is searched.
const BYTES_MAX: usize = 8 << 10;

/// Maximum fields of a message.
const SPANS_MAX: usize = 1024;

/// One field of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::fuzz) struct Span {
    pub at: Range<usize>,
    pub kind: SpanKind,
    /// The name of the header, key or parameter that a value belongs to, in lower case; otherwise empty.
    pub name: Vec<u8>,
}

/// What a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::fuzz) enum SpanKind {
    /// A line with its end.
    Line,
    /// The name of a header or key.
    Name,
    /// The value of a header or key.
    Value,
    /// A parameter within a value, with the `;` or `,` before it.
    Param,
    /// The value of a parameter.
    ParamValue,
    /// A string in quotes, with the quotes.
    Quoted,
    /// A word of a line that is no header.
    Word,
    /// A path.
    Path,
    /// A pair of a query string or form.
    Pair,
    /// The name or value of a pair.
    PairPart,
    /// A decimal number.
    Number,
    /// A member of a JSON object, or an element of an array.
    JsonMember,
    /// A JSON value.
    JsonValue,
    /// A part of a multipart message, with the delimiter before it.
    Part,
    /// A run of text in a binary message.
    Text,
    /// A byte of a binary message that is not text.
    Tag,
    /// A length in a binary message and the bytes that it counts.
    Counted,
}

impl SpanKind {
    /// The kinds that lists consist of: elements that can be added, dropped, doubled and swapped.
    pub(in crate::fuzz) const ELEMENTS: [Self; 8] = [
        Self::Line,
        Self::Param,
        Self::Word,
        Self::Pair,
        Self::JsonMember,
        Self::Part,
        Self::Counted,
        Self::Tag,
    ];

    /// Whether the field is a value that a parser interprets.
    pub(in crate::fuzz) fn is_value(self) -> bool {
        !matches!(
            self,
            Self::Line | Self::Param | Self::Pair | Self::JsonMember | Self::Part | Self::Counted
        )
    }

    /// Whether the field is a value of a text, in which something can be repeated.
    pub(in crate::fuzz) fn is_text(self) -> bool {
        self.is_value() && !matches!(self, Self::Tag | Self::Number)
    }
}

/// All fields of the message.
pub(in crate::fuzz) fn of(bytes: &[u8]) -> Vec<Span> {
    let mut spans = Spans::default();
    let bytes = &bytes[..bytes.len().min(BYTES_MAX)];
    match is_text(bytes) {
        true => text::find(bytes, &mut spans),
        false => binary::find(bytes, &mut spans),
    }
    spans.0
}

/// Whether nearly all bytes are printable.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    let is_odd = |byte: &&u8| **byte < b' ' && !b"\r\n\t".contains(byte) || **byte == 0x7f;
    bytes.iter().filter(is_odd).count() * 16 <= bytes.len()
}

/// The fields found so far.
#[derive(Default)]
struct Spans(Vec<Span>);

impl Spans {
    fn add(&mut self, kind: SpanKind, at: Range<usize>) {
        self.named(kind, at, b"");
    }

    fn named(&mut self, kind: SpanKind, at: Range<usize>, name: &[u8]) {
        if self.0.len() < SPANS_MAX {
            let name = name.to_ascii_lowercase();
            self.0.push(Span { at, kind, name });
        }
    }
}

#[cfg(test)]
mod tests;
