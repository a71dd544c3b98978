//! Replies without what may differ between two of them.

use crate::fuzz::wire::{ConnectionEnd, Observed};
use crate::talk::Frame;

/// The replies on all connections of one run.
pub(super) type Replies = Vec<MaskedReply>;

/// The reply on one connection.
pub(super) struct MaskedReply {
    pub(super) bytes: Vec<u8>,
    /// The bytes with digits masked, and of refusals only what they are.
    pub(super) masked: Vec<u8>,
    /// The offset of the last message in `masked`.
    last: usize,
    end: ConnectionEnd,
}

/// Whether one of two replies is the beginning of the other, on every connection.
pub(super) fn one_is_cut_off(one: &Replies, other: &Replies) -> bool {
    let mut pairs = one.iter().zip(other);
    pairs.all(|(one, other)| is_part(one, other) || is_part(other, one))
}

/// Whether both replies end with the same message, and one has more messages before it: a refusal may come before the replies to
/// what was sent before, which are then lost.
pub(super) fn are_refused_alike(one: &Replies, other: &Replies) -> bool {
    let mut pairs = one.iter().zip(other);
    pairs.all(|(one, other)| {
        let (before, refusal) = one.masked.split_at(one.last);
        let (other_before, other_refusal) = other.masked.split_at(other.last);
        let is_part = before.starts_with(other_before) || other_before.starts_with(before);
        refusal == other_refusal && is_part
    })
}

/// Whether `refusal` equals `answer` up to some message and has at most one other message after that.
pub(super) fn may_refuse(refusal: &Replies, answer: &Replies) -> bool {
    let mut pairs = refusal.iter().zip(answer);
    pairs.all(|(refusal, answer)| {
        let before = &refusal.masked[..refusal.last];
        answer.masked.starts_with(before) || is_part(refusal, answer)
    })
}

fn is_part(one: &MaskedReply, other: &MaskedReply) -> bool {
    other.masked.starts_with(&one.masked)
}

pub(super) fn of(observed: Observed, frame: &Frame) -> Replies {
    let answers = observed.connections.into_iter();
    answers
        .map(|answer| MaskedReply::new(answer.bytes, answer.end, frame))
        .collect()
}

impl MaskedReply {
    fn new(bytes: Vec<u8>, end: ConnectionEnd, frame: &Frame) -> Self {
        let mut masked = Vec::with_capacity(bytes.len());
        let (mut last, mut rest) = (0, &bytes[..]);
        while !rest.is_empty() {
            let whole = frame.decoder().next(rest).ok().flatten();
            let len = whole.unwrap_or(rest.len()).clamp(1, rest.len());
            let (message, after) = rest.split_at(len);
            last = masked.len();
            mask(message, *frame == Frame::Http1, &mut masked);
            rest = after;
        }
        Self {
            masked,
            bytes,
            last,
            end,
        }
    }
}

/// Appends a message with its digits masked. The text with which HTTP refuses a request often quotes what was read of it, which
/// depends on the pieces: only the status counts.
fn mask(message: &[u8], is_http: bool, masked: &mut Vec<u8>) {
    let line_end = memchr::memchr(b'\n', message).map_or(message.len(), |end| end + 1);
    let line = &message[..line_end];
    let status = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let is_refusal = matches!(status, [b'4', b'0'..=b'9', b'0'..=b'9']);
    if is_http && line.starts_with(b"HTTP/1.") && is_refusal {
        return masked.extend_from_slice(line);
    }
    let bytes = message.iter();
    masked.extend(bytes.map(|byte| if byte.is_ascii_digit() { b'#' } else { *byte }));
}

pub(super) fn differ(one: &Replies, other: &Replies) -> bool {
    let differs = |one: &MaskedReply, other: &MaskedReply| {
        let common = one.masked.len().min(other.masked.len());
        match one.end == ConnectionEnd::Eof && other.end == ConnectionEnd::Eof {
            true => one.masked != other.masked,
            false => one.masked[..common] != other.masked[..common],
        }
    };
    let mut pairs = one.iter().zip(other);
    one.len() != other.len() || pairs.any(|(one, other)| differs(one, other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_prefix_of_the_full_reply() {
        let lines = Frame::until(b"\n");
        let reply = |bytes: &[u8]| MaskedReply::new(bytes.to_vec(), ConnectionEnd::Eof, &lines);
        assert!(is_part(&reply(b""), &reply(b"ERROR 1\n")));
        assert!(is_part(&reply(b"a 1\n"), &reply(b"a 2\nb\n")));
        assert!(!is_part(&reply(b"b\n"), &reply(b"a\nb\n")));
        assert_eq!(reply(b"a\nbc\ntoo long\n").last, 5);
        assert_eq!(reply(b"too long\n").last, 0);
        assert_eq!(reply(b"").last, 0);
    }

    #[test]
    fn a_refusal_may_come_before_earlier_replies() {
        let lines = Frame::until(b"\n");
        let reply =
            |bytes: &[u8]| vec![MaskedReply::new(bytes.to_vec(), ConnectionEnd::Eof, &lines)];
        assert!(are_refused_alike(&reply(b"no\n"), &reply(b"a\nno\n")));
        assert!(are_refused_alike(&reply(b"a\nb\nno\n"), &reply(b"a\nno\n")));
        assert!(!are_refused_alike(&reply(b"no\n"), &reply(b"a\n")));
        assert!(!are_refused_alike(&reply(b"b\nno\n"), &reply(b"a\nno\n")));
    }

    #[test]
    fn a_refusal_in_http_is_its_status() {
        let reply = |text: &str| {
            let bytes = text.as_bytes().to_vec();
            vec![MaskedReply::new(bytes, ConnectionEnd::Eof, &Frame::Http1)]
        };
        let served = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        let refused = |status: &str, text: &str| {
            let length = text.len();
            format!("{served}HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{text}")
        };
        let (one, other) = (
            refused("400 Bad", "what is abc?"),
            refused("400 Bad", "what is a?"),
        );
        assert!(!differ(&reply(&one), &reply(&other)));
        assert!(differ(
            &reply(&one),
            &reply(&refused("404 Bad", "what is abc?"))
        ));
        assert!(differ(&reply(&one), &reply(served)));
        let answered = refused("200 OK", "abc");
        assert!(differ(&reply(&answered), &reply(&refused("200 OK", "abd"))));
        assert_eq!(reply(&one)[0].last, served.len());
    }

    #[test]
    fn after_a_reset_only_the_common_prefix_counts() {
        let lines = Frame::until(b"\n");
        let replies = |bytes: &[u8], end| vec![MaskedReply::new(bytes.to_vec(), end, &lines)];
        assert!(differ(
            &replies(b"a\n", ConnectionEnd::Eof),
            &replies(b"a", ConnectionEnd::Eof)
        ));
        assert!(!differ(
            &replies(b"a\n", ConnectionEnd::Eof),
            &replies(b"a", ConnectionEnd::Reset)
        ));
        assert!(!differ(
            &replies(b"", ConnectionEnd::Reset),
            &replies(b"ERR\n", ConnectionEnd::Eof)
        ));
        assert!(differ(
            &replies(b"b", ConnectionEnd::Reset),
            &replies(b"ERR\n", ConnectionEnd::Eof)
        ));
    }
}
