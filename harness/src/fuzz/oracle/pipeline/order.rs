//! Pipelined requests that a server answers in the wrong order.

use super::{TURNS_MAX, breach, case, contains, run};
use crate::fuzz::epoch::Epoch;
use crate::fuzz::oracle::conformance::Breach;
use crate::talk::Exchange;

/// Attempts at each pair: the order may depend on chance.
const ATTEMPTS: usize = 3;

/// Minimum bytes of a line that tells two replies apart.
const MARK_BYTES_MIN: usize = 3;

/// Two requests in one write, in each order of two turns whose replies can be told apart.
pub(super) fn disorder(epoch: &mut Epoch<'_>, stop: &dyn Fn() -> bool) -> Option<Breach> {
    let turns = answered_turns(epoch);
    for (place, first) in turns.iter().enumerate() {
        for (other, second) in turns.iter().enumerate() {
            for _ in 0..ATTEMPTS {
                if place == other || stop() {
                    break;
                }
                if let Some(breach) = disordered(epoch, first, second) {
                    return Some(breach);
                }
            }
        }
    }
    None
}

/// A turn and what it gets alone.
struct Answered {
    exchange: Exchange,
    /// The lines of its reply that never differ.
    lines: Vec<Vec<u8>>,
    /// The reply repeats the token.
    echoes: bool,
}

/// The turns that can be said at any time and get the same reply twice, apart from tokens and digits.
fn answered_turns(epoch: &mut Epoch<'_>) -> Vec<Answered> {
    let target = epoch.target;
    let talk = target.talk();
    let turns = talk.turns.iter().chain(&talk.slow);
    let free = turns.filter(|turn| {
        let frame_is_usual = turn.reply_frame(talk) == target.reply() && target.reply().has_end();
        turn.order.is_free() && turn.expect.has_reply() && frame_is_usual
    });
    let free: Vec<Exchange> = free.take(TURNS_MAX).cloned().collect();
    let mut answered = Vec::new();
    for exchange in free {
        let ask = || {
            let (turn, reply) = epoch.ask(&exchange, b"ping").ok()?;
            let echoes = exchange.uses_token() && contains(&reply, turn.token.as_bytes());
            Some((steady_lines(&reply, turn.token.as_bytes()), echoes))
        };
        if let (Some(one), Some(other)) = (ask(), ask())
            && one == other
        {
            let (lines, echoes) = one;
            answered.push(Answered {
                exchange,
                lines,
                echoes,
            });
        }
    }
    answered
}

/// The lines of a reply without digits and without the token.
fn steady_lines(reply: &[u8], token: &[u8]) -> Vec<Vec<u8>> {
    let lines = reply.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let lines = lines.filter(|line| {
        let has_digit = line.iter().any(u8::is_ascii_digit);
        line.len() >= MARK_BYTES_MIN && !has_digit && !contains(line, token)
    });
    lines.map(<[u8]>::to_vec).collect()
}

/// A line that the reply to one turn has and the reply to another has not.
fn mark<'a>(of: &'a Answered, not_of: &Answered) -> Option<&'a [u8]> {
    let all = not_of.lines.join(&b'\n');
    let mut lines = of.lines.iter().rev();
    let own = lines.find(|line| !contains(&all, line));
    own.map(Vec::as_slice)
}

fn disordered(epoch: &mut Epoch<'_>, first: &Answered, second: &Answered) -> Option<Breach> {
    let one = epoch.voice().render(&first.exchange, b"ping").ok()?;
    let other = epoch.voice().render(&second.exchange, b"ping").ok()?;
    let marks = match first.echoes && second.echoes {
        true => (one.token.as_bytes(), other.token.as_bytes()),
        false => (mark(first, second)?, mark(second, first)?),
    };
    let requests = [one.request.clone(), other.request.clone()].concat();
    let case = case(epoch, &first.exchange, requests, 2);
    let (reply, replies) = run(epoch, &case)?;
    let is_only = |reply: &Vec<u8>, mark, not| contains(reply, mark) && !contains(reply, not);
    let wrong = match &replies[..] {
        // No other reply has the token.
        [before, ..] if first.echoes && second.echoes => is_only(before, marks.1, marks.0),
        [before, after] => is_only(before, marks.1, marks.0) && is_only(after, marks.0, marks.1),
        _ => false,
    };
    if !wrong {
        return None;
    }
    let title = format!(
        "the reply to {} comes before that to {}, which was sent first",
        other.label, one.label
    );
    let literal = |mark| regex::escape(&String::from_utf8_lossy(mark));
    let right = format!("(?s){}.*{}", literal(marks.0), literal(marks.1));
    Some(breach("order of replies", title, case, reply, right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::builtin;

    #[test]
    fn replies_are_told_apart_by_lines_that_only_one_of_them_has() {
        let exchange = builtin("http").unwrap().talk.plain().clone();
        let answered = |reply: &[u8]| Answered {
            exchange: exchange.clone(),
            lines: steady_lines(reply, b"token"),
            echoes: false,
        };
        let page = answered(b"HTTP/1.1 200 OK\r\nServer: own\r\nContent-Length: 5\r\n\r\nhello");
        let echo = answered(b"HTTP/1.1 200 OK\r\nServer: own\r\nContent-Length: 4\r\n\r\nping");
        let token = answered(b"HTTP/1.1 200 OK\r\nServer: own\r\nContent-Length: 6\r\n\r\ntoken!");
        assert_eq!(mark(&page, &echo), Some(&b"hello"[..]));
        assert_eq!(mark(&echo, &page), Some(&b"ping"[..]));
        assert_eq!(mark(&page, &page), None);
        // Digits and tokens differ between any two replies.
        assert_eq!(mark(&token, &page), None);
    }
}
