//! The shape of the replies: what a server says and how it closes, without what it only repeats.
//!
//! For servers that give nothing else to go by. Words that came in the case itself say nothing about the
//! server, nor do digits; what is left are its own words: error messages, status lines.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use memchr::memmem;

use crate::fuzz::life::Ran;
use crate::fuzz::{Case, Part, Step};

/// Words of a reply that take part.
const WORDS_MAX: usize = 24;
/// Bytes of a reply that are looked at.
const BYTES_MAX: usize = 2048;
/// Shorter words are chance, longer ones no words.
const WORD_BYTES: std::ops::RangeInclusive<usize> = 3..=24;

/// What one run shows, each as a number: every word of the server's own, and every way in which a connection
/// went. Many connections, or many replies on one, show no more than each of them alone.
pub fn shape(case: &Case, ran: &Ran, latency: bool) -> Vec<u64> {
    let answers = &ran.seen.connections;
    let silent = answers.iter().all(|answer| answer.bytes.is_empty());
    let sent = if silent { Vec::new() } else { sent(case) };
    let mut shown = Vec::with_capacity(8);
    for (number_of, answer) in answers.iter().enumerate() {
        let sent = sent.get(number_of).map_or(&[][..], Vec::as_slice);
        shown.push(number(&(answer.end, length_class(answer.received))));
        let words = own_words(&answer.bytes, sent);
        shown.extend(words.map(|word| number(&(answer.end, word))));
    }
    if ran.seen.not_taken > 0 {
        shown.push(number(&"not taken"));
    }
    if latency {
        shown.push(number(&("cpu", time_class(ran.cpu))));
    }
    shown.sort_unstable();
    shown.dedup();
    shown
}

fn number(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// The first bytes of every part that is sent, by connection: what an echo could repeat.
fn sent(case: &Case) -> Vec<Vec<u8>> {
    let mut sent = vec![Vec::new()];
    let mut current = 0;
    for step in &case.steps {
        match step {
            Step::Connect => {
                sent.push(Vec::new());
                current = sent.len() - 1;
            }
            Step::Switch(to) => current = usize::from(*to).min(sent.len() - 1),
            Step::Send(send) => {
                let parts = send.data.parts().iter();
                parts.for_each(|part| begin_of(part, &mut sent[current]));
            }
            _ => {}
        }
    }
    sent
}

fn begin_of(part: &Part, sent: &mut Vec<u8>) {
    match part {
        Part::Bytes(bytes) => sent.extend_from_slice(&bytes[..bytes.len().min(BYTES_MAX)]),
        Part::Repeat { unit, count } => {
            let times = (*count as usize).min(1 + 64 / unit.len());
            (0..times).for_each(|_| sent.extend_from_slice(unit));
        }
    }
}

/// Words of a reply that were not sent.
fn own_words<'a>(reply: &'a [u8], sent: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let words = reply[..reply.len().min(BYTES_MAX)]
        .split(|byte| !byte.is_ascii_alphabetic())
        .filter(|word| WORD_BYTES.contains(&word.len()));
    words
        .take(WORDS_MAX)
        .filter(|word| memmem::find(sent, word).is_none())
}

/// 0, 1, 2-3, 4-7, ... by powers of four above 64 bytes, since an echo is as long as what it repeats.
fn length_class(bytes: u64) -> u32 {
    let bits = u64::BITS - bytes.leading_zeros();
    if bits <= 6 { bits } else { 6 + (bits - 6) / 2 }
}

/// Powers of eight of a millisecond: only what stands out.
fn time_class(time: Duration) -> u32 {
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    (u64::BITS - ms.leading_zeros()) / 3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::wire::{Answer, End, Seen};
    use crate::process::Glance;

    fn ran(reply: &[u8], end: End) -> Ran {
        Ran {
            seen: Seen {
                connections: vec![Answer {
                    bytes: reply.to_vec(),
                    received: reply.len() as u64,
                    end,
                }],
                not_taken: 0,
            },
            cpu: Duration::ZERO,
            vital: Glance::default(),
        }
    }

    #[test]
    fn an_echo_is_one_shape_and_a_message_another() {
        let shape =
            |sent: &[u8], reply: &[u8], end| shape(&Case::sending(sent), &ran(reply, end), false);
        let echo = shape(b"hello abcd 17\n", b"hello abcd 17\n", End::Eof);
        assert_eq!(
            echo,
            shape(b"other text 29\n", b"other text 29\n", End::Eof)
        );
        assert_ne!(
            echo,
            shape(b"hello abcd 17\n", b"ERR not valid\n", End::Eof)
        );
        assert_ne!(
            echo,
            shape(b"hello abcd 17\n", b"hello abcd 17\n", End::Reset)
        );
        let error = shape(b"x 1\n", b"ERR line 12 is bad\n", End::Eof);
        assert_eq!(error, shape(b"y 2\n", b"ERR line 47 is bad\n", End::Eof));
    }

    #[test]
    fn connections_that_are_alike_count_once() {
        let case = Case::sending(&b"x 1\n"[..]);
        let one = ran(b"ERR line 12 is bad\n", End::Eof);
        let other = ran(b"", End::Reset);
        let of = |runs: &[&Ran]| {
            let mut all = one.clone();
            let answers = runs.iter().flat_map(|ran| ran.seen.connections.clone());
            all.seen.connections = answers.collect();
            shape(&case, &all, false)
        };
        assert_eq!(of(&[&one]), of(&[&one, &one]));
        assert_eq!(of(&[&one, &other]), of(&[&other, &one, &one]));
        assert_ne!(of(&[&one]), of(&[&one, &other]));
    }

    #[test]
    fn an_echo_between_the_words_of_another_connection_is_one_still() {
        let send = |text: &[u8]| Step::Send(crate::fuzz::Send::whole(text));
        let case = Case::new(vec![
            send(b"abc"),
            Step::Connect,
            send(b"xyz"),
            Step::Switch(0),
            send(b"def"),
        ]);
        let mut both = ran(b"abcdef", End::Eof);
        both.seen
            .connections
            .extend(ran(b"xyz", End::Eof).seen.connections);
        let echo = shape(
            &Case::sending(&b"hijklm"[..]),
            &ran(b"hijklm", End::Eof),
            false,
        );
        let shown = shape(&case, &both, false);
        assert!(echo.iter().all(|one| shown.contains(one)), "{shown:?}");
        assert_eq!(
            shown.len(),
            2,
            "a length class each, and no word: {shown:?}"
        );
    }
}
