//! The end of a body that ends with a dot on a line of its own.

use super::{after, breach, is_reply_to, run};
use crate::fuzz::Data;
use crate::fuzz::case::{Case, SendStep, Step};
use crate::fuzz::epoch::Epoch;
use crate::fuzz::oracle::conformance::{Breach, lead_in};
use crate::talk::Exchange;
use crate::text::escape;

/// Ends of data that are none.
const ENDS: &[(&str, &[u8])] = &[
    ("LF dot CRLF", b"\n.\r\n"),
    ("CRLF dot LF", b"\r\n.\n"),
    ("LF dot LF", b"\n.\n"),
    ("CR dot CRLF", b"\r.\r\n"),
    ("CR dot CR", b"\r.\r"),
    ("CRLF dot CR", b"\r\n.\r"),
];

/// What is said before a mail, and the mail.
const ENVELOPE: [&str; 3] = [
    "MAIL FROM:<a@localhost>\r\n",
    "RCPT TO:<b@localhost>\r\n",
    "DATA\r\n",
];
const MAIL: &[u8] = b"Subject: hello\r\n\r\nhello";

/// The real end of such data.
const DATA_END: &[u8] = b"\r\n.\r\n";

/// A body that ends with a dot on a line of its own, with another end and a request before its real end.
pub(super) fn smuggled(epoch: &mut Epoch<'_>, stop: &dyn Fn() -> bool) -> Option<Breach> {
    let plain = epoch.target.talk().plain().clone();
    for (before, data) in bodies(epoch) {
        let send = |bytes: Vec<u8>| after(before.clone(), bytes, 3);
        let usual = send([&data[..], DATA_END].concat());
        let usual = run(epoch, &usual)?.1.len();
        for (what, end) in ENDS {
            if stop() {
                return None;
            }
            let inner = epoch.voice().render(&plain, b"ping").ok()?;
            let message = [&data, *end, &inner.request, DATA_END].concat();
            let case = send(message);
            let Some((reply, replies)) = run(epoch, &case) else {
                continue;
            };
            if let Some(second) = replies.get(usual)
                && is_reply_to(&inner, second)
            {
                let title = format!(
                    "{what} ends the data: the line after it is answered with \"{}\"",
                    escape(second, 60)
                );
                let right = format!("(?s)^(?!(?:.*?\n){{{}}})", lines(&reply));
                return Some(breach("end of data", title, case, reply, right));
            }
        }
    }
    None
}

/// The bodies of this kind in the talk, with the steps before them. If it has none but speaks SMTP, one of a mail.
fn bodies(epoch: &mut Epoch<'_>) -> Vec<(Vec<Step>, Vec<u8>)> {
    let talk = epoch.target.talk();
    let turns = talk.turns.iter().filter(|turn| turn.expect.has_reply());
    let turns: Vec<Exchange> = turns.cloned().collect();
    let body = |exchange: &Exchange| {
        let turn = epoch.voice().render(exchange, b"ping").ok()?;
        let data = turn.request.strip_suffix(DATA_END)?.to_vec();
        Some((lead_in(epoch, exchange), data))
    };
    let mut bodies: Vec<_> = turns.iter().filter_map(body).collect();
    if bodies.is_empty() {
        bodies.extend(mail(epoch));
    }
    bodies
}

/// A mail, after what has to be said before its body. `None` if the server accepts none.
fn mail(epoch: &mut Epoch<'_>) -> Option<(Vec<Step>, Vec<u8>)> {
    let mut steps = lead_in(epoch, &epoch.target.talk().plain().clone());
    let is_greeting = |step: &Step| match step {
        Step::Send(send) => {
            let bytes = send.data.to_bytes();
            bytes.starts_with(b"EHLO ") || bytes.starts_with(b"HELO ")
        }
        _ => false,
    };
    if !steps.iter().any(is_greeting) {
        return None;
    }
    for line in ENVELOPE {
        steps.push(Step::Send(SendStep::whole(Data::from(line.as_bytes()))));
        steps.push(Step::Receive);
    }
    let (_, replies) = run(epoch, &Case::new(steps.clone()))?;
    let accepts = replies
        .last()
        .is_some_and(|reply| reply.starts_with(b"354"));
    accepts.then(|| (steps, MAIL.to_vec()))
}

fn lines(reply: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', reply).count()
}
