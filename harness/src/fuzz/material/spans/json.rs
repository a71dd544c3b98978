//! The members, elements and values of a JSON text, also of one that is cut off.

use super::{SpanKind, Spans};

/// Maximum depth that is followed.
const DEPTH_MAX: usize = 64;

/// An object or array that is open.
struct Open {
    begin: usize,
    /// Where its current member or element begins.
    member: usize,
    /// Where the current value begins, behind the name of a member.
    value: usize,
    name: Vec<u8>,
}

/// Where JSON begins in a text with something before it, such as the name of a command.
pub(super) fn begin(text: &[u8]) -> Option<usize> {
    let starts = |pair: &[u8]| matches!(pair, b"{\"" | b"[\"" | b"[{" | b"[[");
    text.windows(2).position(starts)
}

pub(super) fn find(bytes: &[u8], begin: usize, spans: &mut Spans) {
    let mut open: Vec<Open> = Vec::new();
    let mut string = None;
    let mut at = begin;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if string.is_some() => at += 1,
            b'"' => match string.take() {
                Some(begin) => spans.add(SpanKind::Quoted, begin..at + 1),
                None => string = Some(at),
            },
            _ if string.is_some() => {}
            b'{' | b'[' if open.len() < DEPTH_MAX => open.push(Open {
                begin: at,
                member: at + 1,
                value: at + 1,
                name: Vec::new(),
            }),
            b':' => {
                if let Some(open) = open.last_mut() {
                    open.name = bytes[open.member..at].trim_ascii().to_vec();
                    open.name.retain(|byte| *byte != b'"');
                    open.value = at + 1;
                }
            }
            b',' => {
                if let Some(open) = open.last_mut() {
                    member(bytes, open, at, spans);
                    (open.member, open.value) = (at + 1, at + 1);
                    open.name.clear();
                }
            }
            b'}' | b']' => {
                let Some(closed) = open.pop() else { return };
                member(bytes, &closed, at, spans);
                if open.is_empty() {
                    spans.add(SpanKind::JsonValue, closed.begin..at + 1);
                    return;
                }
            }
            _ => {}
        }
        at += 1;
    }
}

fn member(bytes: &[u8], open: &Open, end: usize, spans: &mut Spans) {
    if bytes[open.member..end].trim_ascii().is_empty() {
        return;
    }
    spans.add(SpanKind::JsonMember, open.member..end);
    spans.named(SpanKind::JsonValue, open.value..end, &open.name);
}
