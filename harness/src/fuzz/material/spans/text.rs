//! The fields of a text: lines, headers and their parameters, words, paths, query strings, numbers, JSON, MIME parts.

use std::ops::Range;

use super::{SpanKind, Spans, json};
use crate::fuzz::material::text;

/// Maximum bytes of a header's name.
const NAME_BYTES_MAX: usize = 64;

pub(super) fn find(bytes: &[u8], spans: &mut Spans) {
    let mut delimiters = Vec::new();
    for line in text::lines(bytes) {
        spans.add(SpanKind::Line, line.clone());
        let content = trimmed(bytes, line.clone());
        if bytes[content.clone()].starts_with(b"--") && content.len() > 2 {
            delimiters.push(line.start);
        } else if bytes[content.clone()].starts_with(b"{")
            || bytes[content.clone()].starts_with(b"[")
        {
            json::find(bytes, content.start, spans);
        } else if let Some(colon) = separator(&bytes[content.clone()]) {
            header(bytes, content, colon, spans);
        } else {
            if let Some(at) = json::begin(&bytes[content.clone()]) {
                json::find(bytes, content.start + at, spans);
            }
            words(bytes, content, spans);
        }
    }
    for pair in delimiters.windows(2) {
        spans.add(SpanKind::Part, pair[0]..pair[1]);
    }
    for number in text::numbers(bytes) {
        spans.add(SpanKind::Number, number);
    }
}

/// The line without its end and without spaces around it.
fn trimmed(bytes: &[u8], line: Range<usize>) -> Range<usize> {
    let text = &bytes[line.clone()];
    let begin = text.len() - text.trim_ascii_start().len();
    let len = text.trim_ascii().len();
    line.start + begin..line.start + begin + len
}

/// The place of the colon after a name, or of an equals sign in a line without spaces before it.
fn separator(line: &[u8]) -> Option<usize> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let name = line
        .iter()
        .take(NAME_BYTES_MAX)
        .take_while(|byte| is_name(byte))
        .count();
    let rest = &line[name..];
    let spaces = rest.len() - rest.trim_ascii_start().len();
    let at = name + spaces;
    match line.get(at) {
        Some(b':') if name > 0 => Some(at),
        // `a=b&c=d` is a form.
        Some(b'=') if name > 0 && !line.contains(&b'&') => Some(at),
        _ => None,
    }
}

fn header(bytes: &[u8], line: Range<usize>, colon: usize, spans: &mut Spans) {
    let name = trimmed(bytes, line.start..line.start + colon);
    let value = trimmed(bytes, line.start + colon + 1..line.end);
    spans.add(SpanKind::Name, name.clone());
    let name = &bytes[name];
    spans.named(SpanKind::Value, value.clone(), name);
    // Parameters: `; name=value` or `, item`.
    let mut begin = None;
    for at in pieces(&bytes[value.clone()], b";,")
        .into_iter()
        .map(|at| value.start + at)
    {
        if let Some(begin) = begin {
            parameter(bytes, begin..at, spans);
        } else {
            // The value before the first parameter is a field too.
            spans.named(SpanKind::Value, value.start..at, name);
            assignment(bytes, value.start..at, spans);
        }
        begin = Some(at);
    }
    match begin {
        Some(begin) => parameter(bytes, begin..value.end, spans),
        None => assignment(bytes, value.clone(), spans),
    }
    quoted(bytes, value.clone(), spans);
    if bytes[value.clone()].contains(&b'/') && bytes[value.clone()].starts_with(b"/") {
        path(bytes, value, spans);
    }
}

/// The places of these separators outside of quotes.
fn pieces(value: &[u8], separators: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    let mut in_quotes = false;
    let mut escaped = false;
    for (at, byte) in value.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_quotes => escaped = true,
            b'"' => in_quotes = !in_quotes,
            _ if !in_quotes && separators.contains(byte) => places.push(at),
            _ => {}
        }
    }
    places
}

fn parameter(bytes: &[u8], at: Range<usize>, spans: &mut Spans) {
    spans.add(SpanKind::Param, at.clone());
    assignment(bytes, at.start + 1..at.end, spans);
}

/// A name and a value with an equals sign between them, if it is one.
fn assignment(bytes: &[u8], inside: Range<usize>, spans: &mut Spans) {
    if let Some(equals) = memchr::memchr(b'=', &bytes[inside.clone()]) {
        let name = trimmed(bytes, inside.start..inside.start + equals);
        let value = trimmed(bytes, inside.start + equals + 1..inside.end);
        spans.add(SpanKind::Name, name.clone());
        spans.named(SpanKind::ParamValue, value, &bytes[name]);
    }
}

fn quoted(bytes: &[u8], within: Range<usize>, spans: &mut Spans) {
    let mut begin = None;
    for at in memchr::memchr_iter(b'"', &bytes[within.clone()]).map(|at| within.start + at) {
        match begin.take() {
            Some(begin) => spans.add(SpanKind::Quoted, begin..at + 1),
            None => begin = Some(at),
        }
    }
}

/// The words of a line, the paths and the query strings among them.
fn words(bytes: &[u8], line: Range<usize>, spans: &mut Spans) {
    let mut begin = line.start;
    for end in (line.start..=line.end).filter(|at| *at == line.end || bytes[*at] == b' ') {
        let word = begin..end;
        begin = end + 1;
        if word.is_empty() {
            continue;
        }
        spans.add(SpanKind::Word, word.clone());
        let text = &bytes[word.clone()];
        if text.starts_with(b"/") || memchr::memmem::find(text, b"://").is_some() {
            path(bytes, word, spans);
        } else if text.contains(&b'=') {
            pairs(bytes, word, spans);
        }
    }
    quoted(bytes, line, spans);
}

fn path(bytes: &[u8], word: Range<usize>, spans: &mut Spans) {
    let query = memchr::memchr(b'?', &bytes[word.clone()]).map(|at| word.start + at);
    spans.add(SpanKind::Path, word.start..query.unwrap_or(word.end));
    if let Some(query) = query {
        pairs(bytes, query + 1..word.end, spans);
    }
}

fn pairs(bytes: &[u8], all: Range<usize>, spans: &mut Spans) {
    let mut begin = all.start;
    for end in (all.start..=all.end).filter(|at| *at == all.end || bytes[*at] == b'&') {
        let pair = begin..end;
        begin = end + 1;
        spans.add(SpanKind::Pair, pair.clone());
        match memchr::memchr(b'=', &bytes[pair.clone()]).map(|at| pair.start + at) {
            Some(equals) => {
                spans.add(SpanKind::PairPart, pair.start..equals);
                let name = &bytes[pair.start..equals];
                spans.named(SpanKind::PairPart, equals + 1..pair.end, name);
            }
            None => spans.add(SpanKind::PairPart, pair),
        }
    }
}
