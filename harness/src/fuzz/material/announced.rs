//! Lengths that a message announces, in the header of its frame, as decimal digits in its text, or in the middle of a
//! binary message: finds them, and corrects them after the message was changed.

use std::ops::Range;

use memchr::memmem;

use super::spans::{InnerCode, inner_lengths};
use super::text;
use crate::talk::frame::websocket;
use crate::talk::{Frame, LenFrame};

/// Maximum digits of a number that may be a length.
const DIGITS_MAX: usize = 8;

/// A correct length in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::fuzz) struct Announced {
    /// Its position.
    pub at: Range<usize>,
    /// The bytes that it counts.
    pub body: Range<usize>,
    pub kind: FieldKind,
}

/// Where a length is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fuzz) enum FieldKind {
    /// In the text of the message, in decimal digits.
    Digits,
    /// In the header of its frame.
    Header,
    /// In the middle of a binary message.
    Inner(InnerCode),
}

/// A length field, whether correct or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::fuzz) struct Field {
    /// Its position.
    pub at: Range<usize>,
    pub kind: FieldKind,
}

/// A replacement: a range and its new bytes.
pub(in crate::fuzz) type Splice = (Range<usize>, Vec<u8>);

/// All possible length fields: the header of the frame, and numbers at the end of a line.
pub(in crate::fuzz) fn fields(frame: &Frame, bytes: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    fields.extend(header_field(frame, bytes).map(|at| Field {
        at,
        kind: FieldKind::Header,
    }));
    let ends = |number: &Range<usize>| {
        let after = &bytes[number.end..];
        after.is_empty() || after.starts_with(b"\r") || after.starts_with(b"\n")
    };
    let decimal = text::numbers(bytes).into_iter().filter(ends);
    // `HTTP/1.1` also ends a line but is not a length.
    let decimal = decimal.filter(|at| at.start == 0 || bytes[at.start - 1] != b'.');
    fields.extend(decimal.map(|at| Field {
        at,
        kind: FieldKind::Digits,
    }));
    let header = fields.first().map_or(0..0, |field| field.at.clone());
    let inner = inner_lengths(bytes).into_iter();
    fields.extend(inner.filter_map(|(at, _, code)| {
        let kind = FieldKind::Inner(code);
        (at.end <= header.start || at.start >= header.end).then_some(Field { at, kind })
    }));
    fields
}

/// The length in the header of the first message.
fn header_field(frame: &Frame, bytes: &[u8]) -> Option<Range<usize>> {
    match frame {
        Frame::Len(len) => Some(len.header(bytes).ok()??.field),
        Frame::WebSocket => {
            let header = websocket::header(bytes).ok()??;
            Some(1..1 + header.field)
        }
        _ => None,
    }
}

/// All correct lengths.
pub(in crate::fuzz) fn announced(frame: &Frame, bytes: &[u8]) -> Vec<Announced> {
    let mut found = Vec::new();
    match frame {
        Frame::Len(len) => in_headers(bytes, &mut found, |rest| one_message(len, rest)),
        Frame::WebSocket => in_headers(bytes, &mut found, one_websocket_frame),
        _ => {}
    }
    for Field { at, kind } in fields(frame, bytes) {
        if kind == FieldKind::Digits
            && let Some(announced) = in_text(frame, bytes, at)
        {
            found.push(announced);
        }
    }
    let in_header = found.iter().map(|one| one.at.clone()).collect::<Vec<_>>();
    let apart =
        |at: &Range<usize>, header: &Range<usize>| at.end <= header.start || at.start >= header.end;
    for (at, body, code) in inner_lengths(bytes) {
        if in_header.iter().all(|header| apart(&at, header)) {
            let kind = FieldKind::Inner(code);
            found.push(Announced { at, body, kind });
        }
    }
    found
}

/// All correct lengths in decimal digits within the first `head` bytes, of a body that begins there too.
pub(in crate::fuzz) fn announced_by(frame: &Frame, bytes: &[u8], head: usize) -> Vec<Announced> {
    let fields = fields(frame, &bytes[..head]).into_iter();
    let digits = fields.filter(|field| field.kind == FieldKind::Digits);
    let announced = digits.filter_map(|field| in_text(frame, bytes, field.at));
    announced.filter(|one| one.body.start <= head).collect()
}

/// A header at the start of some bytes: the place of its length, the place of the body, and the end of the message.
type Headed = (Range<usize>, Range<usize>, usize);

fn one_message(len: &LenFrame, bytes: &[u8]) -> Option<Headed> {
    let header = len.header(bytes).ok()??;
    let counted = usize::try_from(len.counted(&header)?).ok()?;
    let end = header.size.checked_add(counted)?.checked_add(len.trailer)?;
    Some((
        header.field,
        header.size..end,
        end.checked_add(len.after.len())?,
    ))
}

fn one_websocket_frame(bytes: &[u8]) -> Option<Headed> {
    let header = websocket::header(bytes).ok()??;
    let end = header.size.checked_add(usize::try_from(header.len).ok()?)?;
    Some((1..1 + header.field, header.size..end, end))
}

/// The headers of consecutive messages in `bytes`.
fn in_headers(bytes: &[u8], found: &mut Vec<Announced>, first: impl Fn(&[u8]) -> Option<Headed>) {
    let mut begin = 0;
    while let Some((field, body, end)) = first(&bytes[begin..]) {
        if body.end > bytes.len() - begin {
            return;
        }
        let moved = |range: Range<usize>| begin + range.start..begin + range.end;
        found.push(Announced {
            at: moved(field),
            body: moved(body),
            kind: FieldKind::Header,
        });
        begin = (begin + end).min(bytes.len());
        if begin == bytes.len() {
            return;
        }
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
        Frame::Http1 | Frame::Header(_) => after_head(),
        Frame::Resp => next(),
        _ => next().or_else(after_head),
    };
    body.map(|body| Announced {
        at,
        body,
        kind: FieldKind::Digits,
    })
}

/// `*2` counts elements, not bytes, and in an HTTP head only Content-Length announces a length.
fn may_announce(frame: &Frame, bytes: &[u8], at: &Range<usize>) -> bool {
    let line = memchr::memrchr(b'\n', &bytes[..at.start]).map_or(0, |end| end + 1);
    let before = &bytes[line..at.start];
    match frame {
        Frame::Resp => matches!(before, b"$" | b"=" | b"!"),
        Frame::Http1 => before.to_ascii_lowercase().starts_with(b"content-length"),
        Frame::Header(header) => {
            let name = before.get(..header.name.len()).unwrap_or_default();
            name.eq_ignore_ascii_case(header.name.as_bytes())
        }
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
    all.sort_by_key(|one| one.kind == FieldKind::Header);
    let mut digits_grown = 0;
    let mut fixes = Vec::new();
    for one in all {
        let len = one.body.len() as i64 + grown;
        let shift = if one.at.start >= changed.end {
            grown
        } else {
            0
        };
        let moved = |at: usize| (at as i64 + shift).max(0) as usize;
        let written = match one.kind {
            FieldKind::Header => {
                let len = usize::try_from(len + digits_grown).unwrap_or(0);
                rewritten(frame, &before[one.at.clone()], len)
            }
            FieldKind::Digits => len.max(0).to_string().into_bytes(),
            FieldKind::Inner(code) => code.write(u64::try_from(len).unwrap_or(0)),
        };
        if one.kind == FieldKind::Digits {
            digits_grown += written.len() as i64 - one.at.len() as i64;
        }
        fixes.push((moved(one.at.start)..moved(one.at.end), written));
    }
    fixes.sort_by_key(|(at, _)| std::cmp::Reverse(at.start));
    fixes
}

/// The length in a header, for a body of `len` bytes.
fn rewritten(frame: &Frame, field: &[u8], len: usize) -> Vec<u8> {
    match frame {
        Frame::Len(header) => header.rewritten(field, header.announced(len)),
        Frame::WebSocket => websocket::rewritten(field, len as u64),
        _ => field.to_vec(),
    }
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
    use crate::talk::frame::{Digits, DigitsEnd, Radix};
    use crate::talk::{HeaderFrame, LengthCode, Uint};

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
        let memcached = Frame::until(b"\r\n");
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

    /// A field may need more bytes for a larger number.
    #[test]
    fn lengths_of_any_kind_are_corrected() {
        let varint = Frame::Len(LenFrame {
            before: vec![0x30],
            ..LenFrame::of(LengthCode::Varint)
        });
        let netstring = Frame::Len(LenFrame {
            after: b",".to_vec(),
            ..LenFrame::of(LengthCode::Digits(Digits {
                radix: Radix::Decimal,
                end: DigitsEnd::Until(b":".to_vec()),
            }))
        });
        let header = Frame::Header(HeaderFrame {
            name: "Content-Length".to_owned(),
        });
        let long = [b'x'; 200];
        for frame in [varint, netstring, header, Frame::WebSocket] {
            for bodies in [[&b"ab"[..], &long], [&long, b"ab"]] {
                let [before, after] = bodies.map(|body| frame.wrap(body));
                // The same message with its old length.
                let at = frame.header_len(&before);
                let end = before.len() - bodies[0].len() - at;
                let changed = [&before[..at], bodies[1], &before[before.len() - end..]].concat();
                assert_eq!(repaired(&frame, &before, &changed), after, "{frame:?}");
            }
        }
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
