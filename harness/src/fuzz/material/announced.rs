//! Lengths that a message announces, in the header of its frame or as decimal digits in its text: finds them, and
//! corrects them after the message was changed.

use std::ops::Range;

use memchr::memmem;

use super::text;
use crate::talk::{Frame, LenFrame, Uint};

/// Maximum digits of a number that may be a length.
const DIGITS_MAX: usize = 8;

/// A correct length in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::fuzz) struct Announced {
    /// Its position.
    pub at: Range<usize>,
    /// The bytes that it counts.
    pub body: Range<usize>,
    /// The binary integer type; `None` for decimal digits.
    pub field: Option<Uint>,
    /// Its value.
    pub number: u64,
}

/// A length field, whether correct or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::fuzz) struct Field {
    /// Its position.
    pub at: Range<usize>,
    /// The binary integer type; `None` for decimal digits.
    pub field: Option<Uint>,
}

/// A replacement: a range and its new bytes.
pub(in crate::fuzz) type Splice = (Range<usize>, Vec<u8>);

/// All possible length fields: the header of the frame, and numbers at the end of a line.
pub(in crate::fuzz) fn fields(frame: &Frame, bytes: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    if let Frame::Len(len) = frame
        && bytes.len() >= len.at + len.field.width
    {
        fields.push(Field {
            at: len.at..len.at + len.field.width,
            field: Some(len.field),
        });
    }
    let ends = |number: &Range<usize>| {
        let after = &bytes[number.end..];
        after.is_empty() || after.starts_with(b"\r") || after.starts_with(b"\n")
    };
    let decimal = text::numbers(bytes).into_iter().filter(ends);
    // `HTTP/1.1` also ends a line but is not a length.
    let decimal = decimal.filter(|at| at.start == 0 || bytes[at.start - 1] != b'.');
    fields.extend(decimal.map(|at| Field { at, field: None }));
    fields
}

/// All correct lengths.
pub(in crate::fuzz) fn announced(frame: &Frame, bytes: &[u8]) -> Vec<Announced> {
    let mut found = Vec::new();
    if let Frame::Len(len) = frame {
        in_headers(len, bytes, &mut found);
    }
    for Field { at, field } in fields(frame, bytes) {
        if field.is_none()
            && let Some(announced) = in_text(frame, bytes, at)
        {
            found.push(announced);
        }
    }
    found
}

/// The headers of consecutive messages in `bytes`.
fn in_headers(len: &LenFrame, bytes: &[u8], found: &mut Vec<Announced>) {
    // The header may count itself: the value for an empty body is the offset.
    let mut empty = Vec::new();
    len.wrap_into(b"", &mut empty);
    let of_empty = len.field.get(&empty[len.at..]);
    let mut begin = 0;
    while let Some(header) = bytes.get(begin..begin + len.header) {
        let number = len.field.get(&header[len.at..]);
        let body = begin + len.header;
        let Some(body_len) = number.checked_sub(of_empty) else {
            return;
        };
        let end = usize::try_from(body_len).ok();
        let end = end.and_then(|body_len| body.checked_add(body_len));
        let Some(end) = end.filter(|end| *end <= bytes.len()) else {
            return;
        };
        found.push(Announced {
            at: begin + len.at..begin + len.at + len.field.width,
            body: body..end,
            field: Some(len.field),
            number,
        });
        begin = end.max(begin + 1);
    }
}

/// Decimal digits that count the bytes after their line, or after the next empty line.
fn in_text(frame: &Frame, bytes: &[u8], at: Range<usize>) -> Option<Announced> {
    let digits = bytes.get(at.clone())?;
    if digits.len() > DIGITS_MAX || digits.starts_with(b"-") || !may_announce(frame, bytes, &at) {
        return None;
    }
    let number: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let line_end = at.end + memchr::memchr(b'\n', &bytes[at.end..])? + 1;
    let next = || {
        let body = line_end..line_end.checked_add(number)?;
        let after = bytes.get(body.end..)?;
        let ends = after.is_empty() || after.starts_with(b"\n") || after.starts_with(b"\r\n");
        ends.then_some(body)
    };
    let after_head = || {
        let from = line_end.checked_sub(2)?;
        let body = from + memmem::find(&bytes[from..], b"\r\n\r\n")? + 4;
        (body.checked_add(number)? == bytes.len()).then_some(body..bytes.len())
    };
    let body = match frame {
        Frame::Http1 => after_head(),
        Frame::Resp => next(),
        _ => next().or_else(after_head),
    };
    body.map(|body| Announced {
        at,
        body,
        field: None,
        number: number as u64,
    })
}

/// `*2` counts elements, not bytes, and in an HTTP head only Content-Length announces a length.
fn may_announce(frame: &Frame, bytes: &[u8], at: &Range<usize>) -> bool {
    let line = memchr::memrchr(b'\n', &bytes[..at.start]).map_or(0, |end| end + 1);
    let before = &bytes[line..at.start];
    match frame {
        Frame::Resp => matches!(before, b"$" | b"=" | b"!"),
        Frame::Http1 => before.to_ascii_lowercase().starts_with(b"content-length"),
        _ => !before.starts_with(b"*"),
    }
}

/// The replacements in `after` that correct each length which was correct in `before`, from the last position to the
/// first. A length that was itself changed is left alone.
pub(in crate::fuzz) fn fixes(frame: &Frame, before: &[u8], after: &[u8]) -> Vec<Splice> {
    let same = |(a, b): &(&u8, &u8)| a == b;
    let head = before.iter().zip(after).take_while(same).count();
    let room = before.len().min(after.len()) - head;
    let tail = before.iter().rev().zip(after.iter().rev());
    let tail = tail.take(room).take_while(same).count();
    let changed = head..before.len() - tail;
    let grown = after.len() as i64 - before.len() as i64;
    let mut all = announced(frame, before);
    all.retain(|one| {
        let (at, body) = (&one.at, &one.body);
        let intact = at.end <= changed.start || at.start >= changed.end;
        intact && body.start <= changed.start && changed.end <= body.end
    });
    // Digits first: their number may change, which the header around them counts.
    all.sort_by_key(|one| one.field.is_some());
    let mut digits_grown = 0;
    let mut fixes = Vec::new();
    for one in all {
        let number = (one.number as i64 + grown).max(0);
        let shift = if one.at.start >= changed.end {
            grown
        } else {
            0
        };
        let moved = |at: usize| (at as i64 + shift).max(0) as usize;
        let written = match one.field {
            Some(field) => {
                let number = (number + digits_grown).max(0) as u64;
                field.bytes(number.min(field.max())).collect()
            }
            None => number.to_string().into_bytes(),
        };
        if one.field.is_none() {
            digits_grown += written.len() as i64 - one.at.len() as i64;
        }
        fixes.push((moved(one.at.start)..moved(one.at.end), written));
    }
    fixes.sort_by_key(|(at, _)| std::cmp::Reverse(at.start));
    fixes
}

/// Applies [`fixes`] to `after`.
pub(in crate::fuzz) fn repair(frame: &Frame, before: &[u8], after: &mut Vec<u8>) {
    for (at, written) in fixes(frame, before, after) {
        after.splice(at, written);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repaired(frame: &Frame, before: &[u8], after: &[u8]) -> Vec<u8> {
        let mut after = after.to_vec();
        repair(frame, before, &mut after);
        after
    }

    fn length_frame() -> Frame {
        let field = Uint::from_name("u16be").unwrap();
        Frame::Len(LenFrame::plain(field))
    }

    #[test]
    fn lengths_are_corrected() {
        let redis = b"*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n";
        assert_eq!(
            repaired(
                &Frame::Resp,
                redis,
                b"*2\r\n$4\r\nECHO\r\n$5\r\nhello hello\r\n"
            ),
            b"*2\r\n$4\r\nECHO\r\n$11\r\nhello hello\r\n"
        );
        assert_eq!(
            repaired(&Frame::Resp, redis, b"*2\r\n$4\r\nECO\r\n$5\r\nhello\r\n"),
            b"*2\r\n$3\r\nECO\r\n$5\r\nhello\r\n"
        );
        let http = b"POST / HTTP/1.1\r\nContent-Length: 3\r\nA: 9\r\n\r\nabc";
        assert_eq!(
            repaired(
                &Frame::Http1,
                http,
                b"POST / HTTP/1.1\r\nContent-Length: 3\r\nA: 9\r\n\r\n"
            ),
            b"POST / HTTP/1.1\r\nContent-Length: 0\r\nA: 9\r\n\r\n"
        );
        let memcached = Frame::Until(b"\r\n".to_vec());
        assert_eq!(
            repaired(
                &memcached,
                b"set k 0 60 2\r\nab\r\nget k\r\n",
                b"set k 0 60 2\r\nabc\r\nget k\r\n"
            ),
            b"set k 0 60 3\r\nabc\r\nget k\r\n"
        );
    }

    #[test]
    fn headers_are_corrected() {
        let frame = length_frame();
        let two = b"\0\x02ab\0\x03cde";
        assert_eq!(
            repaired(&frame, two, b"\0\x02ab\0\x03ce"),
            b"\0\x02ab\0\x02ce"
        );
        assert_eq!(
            repaired(&frame, two, b"\0\x02axb\0\x03cde"),
            b"\0\x03axb\0\x03cde"
        );
        // The number of digits inside a frame grows.
        assert_eq!(
            repaired(
                &frame,
                b"\0\x0d9\n123456789\n\n",
                b"\0\x0d9\n1234567890\n\n"
            ),
            b"\0\x0f10\n1234567890\n\n"
        );
    }

    #[test]
    fn wrong_lengths_stay_wrong() {
        let before = b"$9\r\nhello\r\n";
        assert_eq!(
            repaired(&Frame::Resp, before, b"$9\r\nhel\r\n"),
            b"$9\r\nhel\r\n"
        );
        let before = b"$5\r\nhello\r\n";
        assert_eq!(
            repaired(&Frame::Resp, before, b"$7\r\nhello\r\n"),
            b"$7\r\nhello\r\n"
        );
    }

    #[test]
    fn fields_are_found() {
        let at = |frame: &Frame, bytes: &[u8]| -> Vec<(usize, usize)> {
            let fields = fields(frame, bytes);
            let ends = |field: Field| (field.at.start, field.at.end);
            fields.into_iter().map(ends).collect()
        };
        assert_eq!(at(&Frame::Resp, b"*2\r\n$-5\r\nab\r\n"), [(1, 2), (5, 7)]);
        assert_eq!(
            at(&Frame::Http1, b"GET / HTTP/1.1\r\nA: 12\r\n"),
            [(19, 21)]
        );
        assert_eq!(at(&length_frame(), b"\0\x02a7"), [(0, 2)]);
    }
}
