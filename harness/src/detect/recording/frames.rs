//! The frames of a recording. Pure.

use super::{Conversation, Recording, cannot};
use crate::detect::framing::{
    DELIMITERS, Framing, LENGTHS, LENGTHS_AFTER_A_TYPE, OF_REPLIES, TELLING,
};
use crate::detect::{DetectError, quoted};
use crate::talk::Frame;

/// How the messages of a recording end.
#[derive(Clone, Debug)]
pub(super) struct Frames {
    pub request: Framing,
    pub reply: Framing,
}

/// A request with its reply; the reply is empty if none came.
pub(super) type Pair = (Vec<u8>, Vec<u8>);

/// The frames with which each request of the recording has one reply, and the exchanges of each session.
///
/// # Errors
/// No frame does.
pub(super) fn of(recording: &Recording) -> Result<(Frames, Vec<Vec<Pair>>), DetectError> {
    for frames in candidates(recording) {
        let all = recording.sessions.iter();
        if let Some(pairs) = all.map(|session| frames.pairs(session)).collect() {
            return Ok((frames, pairs));
        }
    }
    let rounds = recording
        .sessions
        .iter()
        .flat_map(|session| &session.rounds);
    let longest = rounds.max_by_key(|(sent, got)| sent.len().min(got.len()));
    let (sent, got) = longest.cloned().unwrap_or_default();
    Err(cannot(format!(
        "no frame cuts it into requests with one reply each, as in: sent {}, got {}",
        quoted(&sent),
        quoted(&got)
    )))
}

impl Frames {
    /// The exchanges of this session; `None` if these are not its frames.
    fn pairs(&self, session: &Conversation) -> Option<Vec<Pair>> {
        if self.reply.frame.is_delimited() {
            self.reply.messages(&session.greeting)?;
        }
        let mut pairs = Vec::new();
        let last = session.rounds.len().saturating_sub(1);
        for (index, (sent, got)) in session.rounds.iter().enumerate() {
            let requests = cut(&self.request, sent)?;
            let mut replies = cut(&self.reply, got)?;
            // The last request may have no reply: the server or the client ends the connection.
            if index == last && replies.len() + 1 == requests.len() {
                replies.push(b"");
            }
            if requests.len() != replies.len() {
                return None;
            }
            let both = requests.iter().zip(replies);
            pairs.extend(both.map(|(request, reply)| (request.to_vec(), reply.to_vec())));
        }
        Some(pairs)
    }
}

/// The messages of a stream; without a delimiter it is one.
fn cut<'a>(framing: &Framing, stream: &'a [u8]) -> Option<Vec<&'a [u8]>> {
    match framing.frame {
        _ if stream.is_empty() => Some(Vec::new()),
        Frame::None | Frame::Eof => Some(vec![stream]),
        _ => framing.messages(stream),
    }
}

/// All frames worth a try: of both ways, then of each.
fn candidates(recording: &Recording) -> Vec<Frames> {
    let both = |tomls| Framing::all(tomls);
    let same = both(TELLING)
        .chain(Framing::of("\"resp\"").filter(|_| is_resp(recording)))
        .chain(both(LENGTHS))
        .chain(both(LENGTHS_AFTER_A_TYPE));
    let mut all: Vec<Frames> = same
        .map(|framing| Frames {
            request: framing.clone(),
            reply: framing,
        })
        .collect();
    let unmarked = || Framing::of("\"none\"");
    let has_lines = has_lines(recording);
    for request in both(DELIMITERS).chain(unmarked()) {
        let of_reply = both(DELIMITERS)
            .chain(both(OF_REPLIES).filter(|_| has_lines))
            .chain(unmarked());
        all.extend(of_reply.map(|reply| Frames {
            request: request.clone(),
            reply,
        }));
    }
    all
}

/// Whether requests are arrays of Redis, and replies its values.
fn is_resp(recording: &Recording) -> bool {
    let mut rounds = recording
        .sessions
        .iter()
        .flat_map(|session| &session.rounds);
    rounds.all(|(sent, _)| sent.starts_with(b"*"))
}

/// A frame of several lines is worth a try only where there are some.
fn has_lines(recording: &Recording) -> bool {
    let mut rounds = recording
        .sessions
        .iter()
        .flat_map(|session| &session.rounds);
    rounds.any(|(_, got)| got.iter().filter(|byte| **byte == b'\n').count() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(rounds: &[(&[u8], &[u8])]) -> Recording {
        let rounds = rounds
            .iter()
            .map(|(sent, got)| (sent.to_vec(), got.to_vec()));
        Recording {
            sessions: vec![Conversation {
                greeting: Vec::new(),
                rounds: rounds.collect(),
            }],
        }
    }

    fn found(rounds: &[(&[u8], &[u8])]) -> (&'static str, &'static str, usize) {
        let (frames, pairs) = of(&recording(rounds)).unwrap();
        (frames.request.toml, frames.reply.toml, pairs[0].len())
    }

    #[test]
    fn frames_of_known_forms() {
        let crlf = r#"{ until = "\r\n" }"#;
        assert_eq!(found(&[(b"PING\r\n", b"+PONG\r\n")]), (crlf, crlf, 1));
        // Two requests at once have two replies.
        assert_eq!(found(&[(b"a\r\nb\r\n", b"A\r\nB\r\n")]), (crlf, crlf, 2));
        let lf = r#"{ until = "\n" }"#;
        assert_eq!(found(&[(b"a\n", b"1\n"), (b"quit\n", b"")]), (lf, lf, 2));
        let resp = "\"resp\"";
        let ping = b"*1\r\n$4\r\nPING\r\n";
        assert_eq!(found(&[(ping, b"+PONG\r\n")]), (resp, resp, 1));
        let http = "\"http1\"";
        let get = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        assert_eq!(found(&[(get, ok)]), (http, http, 1));
        let length = r#"{ len = "u16le" }"#;
        assert_eq!(found(&[(b"\x02\0hi", b"\x03\0hi!")]), (length, length, 1));
        let typed = r#"{ len = "u32be", at = 1, includes_self = true }"#;
        assert_eq!(
            found(&[(b"Q\0\0\0\x06hi", b"R\0\0\0\x05!")]),
            (typed, typed, 1)
        );
        let (request, reply, _) = found(&[(b"EHLO x\r\n", b"250-a\r\n250 b\r\n")]);
        assert_eq!((request, reply), (crlf, r"{ last_line = '^\d{3} ' }"));
    }

    #[test]
    fn more_replies_than_requests_have_no_frame_of_both_ways() {
        // What nothing marks can be one reply nevertheless.
        let (_, reply, _) = found(&[(b"list\n", b"a\nb\n")]);
        assert_eq!(reply, "\"none\"");
        let two = recording(&[(b"\0\x01a\0\x01b", b"\0\x01c")]);
        let (frames, _) = of(&two).unwrap();
        // The last request may have no reply.
        assert_eq!(frames.request.toml, r#"{ len = "u16be" }"#);
    }
}
