//! Pipelined requests that a server answers in the wrong order, and bytes of one message that it takes for another.
//!
//! - **Order**: two requests in one write, the first of which is answered later. HTTP and servers that promise pipelining
//!   must reply in the order of the requests (RFC 9112 9.3.2).
//! - **Smuggling**: a message that must be refused because its end is not certain (RFC 9112 6.3), or a body with an end
//!   that is none (RFC 5321 4.1.1.4), with a request of the talk inside. If that request is answered, an intermediary and
//!   the server disagree about where messages end.

mod data;
mod order;

use super::claim::Claim;
use super::conformance::{Breach, lead_in};
use crate::fuzz::Data;
use crate::fuzz::case::{Case, SendStep, Step};
use crate::fuzz::epoch::Epoch;
use crate::fuzz::symptom::{FindingKind, Symptom};
use crate::talk::{Exchange, Frame, Judgement, Turn};
use crate::text::escape;

/// Maximum turns whose pairs are tried.
const TURNS_MAX: usize = 6;

/// Heads whose message must be refused: a name, the fields, and what follows before the inner request. `{len}` is the
/// length of the inner request.
const HEADS: &[(&str, &str, &str)] = &[
    (
        "a coding after chunked",
        "Transfer-Encoding: chunked, identity\r\n",
        "",
    ),
    ("an unknown coding", "Transfer-Encoding: xchunked\r\n", ""),
    (
        "the coding chunked twice",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "",
    ),
    (
        "a coding in quotes",
        "Transfer-Encoding: \"chunked\"\r\n",
        "",
    ),
    (
        "a control character in the coding",
        "Transfer-Encoding: \x0bchunked\r\n",
        "",
    ),
    (
        "a space before the colon",
        "Transfer-Encoding : chunked\r\n",
        "",
    ),
    ("a folded line", "Transfer-Encoding:\r\n chunked\r\n", ""),
    (
        "two lengths, the first shorter",
        "Content-Length: 0\r\nContent-Length: {len}\r\n",
        "",
    ),
    (
        "two lengths, the second shorter",
        "Content-Length: {len}\r\nContent-Length: 0\r\n",
        "",
    ),
    ("a list of lengths", "Content-Length: 0, {len}\r\n", ""),
    ("a length with a sign", "Content-Length: +0\r\n", ""),
    ("a negative length", "Content-Length: -0\r\n", ""),
    ("a length with an underscore", "Content-Length: 0_0\r\n", ""),
    ("a hexadecimal length", "Content-Length: 0x0\r\n", ""),
    (
        "a chunk size with a sign",
        "Transfer-Encoding: chunked\r\n",
        "+0\r\n\r\n",
    ),
    (
        "a negative chunk size",
        "Transfer-Encoding: chunked\r\n",
        "-0\r\n\r\n",
    ),
    (
        "a chunk size with an underscore",
        "Transfer-Encoding: chunked\r\n",
        "0_0\r\n\r\n",
    ),
    (
        "a chunk size with a prefix",
        "Transfer-Encoding: chunked\r\n",
        "0x0\r\n\r\n",
    ),
    (
        "a chunk size of 2^64",
        "Transfer-Encoding: chunked\r\n",
        "10000000000000000\r\n\r\n",
    ),
    (
        "other bytes in place of the line end of a chunk",
        "Transfer-Encoding: chunked\r\n",
        "3\r\nabcde0\r\n\r\n",
    ),
    // Three bytes and the end, unless the line feed ends the line with the size.
    (
        "a line feed in a chunk extension",
        "Transfer-Encoding: chunked\r\n",
        "3;\nab\r\n0\r\n\r\n0\r\n\r\n",
    ),
    (
        "a length of 2^64",
        "Content-Length: 18446744073709551616\r\n",
        "",
    ),
];

/// Runs all probes until `stop` returns true. Returns at most one breach of each type.
pub(crate) fn probe(epoch: &mut Epoch<'_>, stop: &dyn Fn() -> bool) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let target = epoch.target;
    let talk = target.talk();
    let is_http = talk.request == Frame::Http1 && *target.reply() == Frame::Http1;
    if (is_http || target.subject.promise.pipelining == Some(true)) && talk.carries_many_turns() {
        breaches.extend(order::disorder(epoch, stop));
    }
    if is_http && !stop() {
        breaches.extend(smuggled_head(epoch, stop));
    }
    if !is_http && !stop() {
        breaches.extend(data::smuggled(epoch, stop));
    }
    breaches
}

/// A turn that can be said at any time, and whether its reply repeats its token.
fn free_turns(epoch: &mut Epoch<'_>) -> Vec<(Exchange, bool)> {
    let target = epoch.target;
    let talk = target.talk();
    let turns = talk.turns.iter().chain(&talk.slow);
    let free = turns.filter(|turn| {
        let frame_is_usual = turn.reply_frame(talk) == target.reply() && target.reply().has_end();
        turn.order.is_free() && turn.expect.has_reply() && turn.uses_token() && frame_is_usual
    });
    let free: Vec<Exchange> = free.take(TURNS_MAX).cloned().collect();
    let echoes = |exchange: &Exchange| {
        let asked = epoch.ask(exchange, b"ping");
        asked.is_ok_and(|(turn, reply)| contains(&reply, turn.token.as_bytes()))
    };
    let echoes: Vec<bool> = free.iter().map(echoes).collect();
    free.into_iter().zip(echoes).collect()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(bytes, part).is_some()
}

/// A message whose end is not certain, with a request of the talk where its body may be.
fn smuggled_head(epoch: &mut Epoch<'_>, stop: &dyn Fn() -> bool) -> Option<Breach> {
    let turns = free_turns(epoch);
    // A reply that repeats the token shows best that the inner request was served.
    let inner = turns.iter().find(|(_, echoes)| *echoes).or(turns.first());
    let exchange = inner.map(|(turn, _)| turn.clone())?;
    let target = head_of(&epoch.voice().render(&exchange, b"ping").ok()?.request)?;
    let alone = epoch.ask(&exchange, b"ping").ok()?.1;
    // What a correct message gets shows that the number of replies means something.
    let inner = epoch.voice().render(&exchange, b"ping").ok()?;
    let length = format!("Content-Length: {}\r\n", inner.request.len());
    let correct = [post(&target, &length).as_slice(), &inner.request].concat();
    let correct = case(epoch, &exchange, correct, 2);
    if run(epoch, &correct)?.1.len() != 1 {
        return None;
    }
    for (what, fields, before) in HEADS {
        if stop() {
            break;
        }
        let inner = epoch.voice().render(&exchange, b"ping").ok()?;
        let fields = fields.replace("{len}", &inner.request.len().to_string());
        let message = [
            post(&target, &fields).as_slice(),
            before.as_bytes(),
            &inner.request,
        ]
        .concat();
        let case = case(epoch, &exchange, message, 2);
        let Some((reply, replies)) = run(epoch, &case) else {
            continue;
        };
        if let [_, second] = &replies[..]
            && is_reply_to(&inner, second)
            && status(second) == status(&alone)
        {
            let title = format!(
                "a request inside of a message with {what} is answered: \"{}\"",
                escape(second, 60)
            );
            return Some(breach(
                "request smuggling",
                title,
                case,
                reply,
                right_without(&inner, second),
            ));
        }
    }
    None
}

/// Whether the reply is the right one for this turn, with its token if it would be repeated.
fn is_reply_to(turn: &Turn, reply: &[u8]) -> bool {
    matches!(turn.judge_message(reply), Judgement::Match(_))
}

/// The status line of a reply. A talk that accepts any status would take a refusal of the rest for the reply to the inner request.
fn status(reply: &[u8]) -> &[u8] {
    reply
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default()
}

/// A regular expression for replies that do not contain a second one like this.
fn right_without(turn: &Turn, second: &[u8]) -> String {
    match contains(second, turn.token.as_bytes()) {
        true => format!("(?s)^(?!.*{})", turn.token),
        false => r"(?s)^(?!.+HTTP/1\.[01] 2)".to_owned(),
    }
}

/// The target and the Host of a request of the talk.
fn head_of(request: &[u8]) -> Option<(String, String)> {
    let text = String::from_utf8_lossy(request);
    let target = text.split(' ').nth(1)?.to_owned();
    let is_host = |line: &&str| line.to_ascii_lowercase().starts_with("host:");
    let host = text.lines().find(is_host).unwrap_or("Host: localhost");
    Some((target, host.to_owned()))
}

fn post((target, host): &(String, String), fields: &str) -> Vec<u8> {
    format!("POST {target} HTTP/1.1\r\n{host}\r\n{fields}\r\n").into_bytes()
}

/// A case that says what comes before the exchange, sends these bytes and waits for some replies.
fn case(epoch: &Epoch<'_>, exchange: &Exchange, bytes: Vec<u8>, replies: usize) -> Case {
    after(lead_in(epoch, exchange), bytes, replies)
}

/// A case that sends these bytes after some steps and waits for some replies.
fn after(mut steps: Vec<Step>, bytes: Vec<u8>, replies: usize) -> Case {
    steps.push(Step::Send(SendStep::whole(Data::from(bytes))));
    steps.extend(std::iter::repeat_n(Step::Receive, replies));
    Case::new(steps)
}

/// Runs the case. Returns everything that its connection received, and the whole replies in it.
fn run(epoch: &mut Epoch<'_>, case: &Case) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let received = epoch.run(case).ok()?.observed.connections.pop()?.bytes;
    let opening: Vec<Frame> = epoch.target.talk().opening_replies().cloned().collect();
    let mut frames = opening.iter();
    let mut rest = &received[..];
    let mut replies = Vec::new();
    while !rest.is_empty() {
        let opens = frames.next();
        let frame = opens.unwrap_or(epoch.target.reply());
        let mut decoder = frame.decoder();
        let whole = decoder.next(rest).ok().flatten();
        let Some(len @ 1..) = whole.or_else(|| decoder.finish(rest).ok().flatten()) else {
            break;
        };
        if opens.is_none() {
            replies.push(rest[..len].to_vec());
        }
        rest = &rest[len.min(rest.len())..];
    }
    Some((received, replies))
}

fn breach(key: &str, title: String, case: Case, reply: Vec<u8>, right: String) -> Breach {
    let hex: String = reply.iter().map(|byte| format!("{byte:02x}")).collect();
    let symptom = Symptom::new(FindingKind::Conformance, key, title)
        .with("reply", escape(&reply, 400))
        .with("reply_hex", hex)
        .with("right_regex", right);
    Breach {
        symptom,
        case,
        claim: Claim {
            kind: FindingKind::Conformance,
            wrong_reply: Some(reply),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_no_reply_to_the_inner_request() {
        let alone = b"HTTP/1.1 426 Upgrade Required\r\nDate: today\r\n\r\n";
        assert_eq!(status(alone), b"HTTP/1.1 426 Upgrade Required");
        assert_ne!(status(alone), status(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
        assert_eq!(status(b""), b"");
    }
}
