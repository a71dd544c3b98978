//! The shape of the replies: the server's own words and how it closes the connections.
//!
//! This works for servers without any instrumentation. Words that the case itself sent say nothing about the
//! server, and neither do digits. The remaining words are its own: error messages and status lines.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use memchr::memmem;

use crate::fuzz::epoch::CaseRun;
use crate::fuzz::{Case, DataPart, Step};

/// Maximum words of a reply to consider.
const WORDS_MAX: usize = 24;
/// Maximum bytes of a reply, and of a sent part, to consider.
const BYTES_MAX: usize = 2048;
/// Word lengths to consider, in bytes: shorter matches are chance, longer ones are not words.
const WORD_BYTES: std::ops::RangeInclusive<usize> = 3..=24;

/// The observations of one run, each as a hash: every word of the server's own with the way its connection ended,
/// and the length class of every connection. Several connections show the union of what each of them shows.
pub(super) fn shape(case: &Case, run: &CaseRun, latency: bool) -> Vec<u64> {
    let connections = &run.observed.connections;
    let silent = connections.iter().all(|received| received.bytes.is_empty());
    let sent = if silent { Vec::new() } else { sent(case) };
    let mut shown = Vec::with_capacity(8);
    for (index, received) in connections.iter().enumerate() {
        let sent = sent.get(index).map_or(&[][..], Vec::as_slice);
        shown.push(hash(&(received.end, length_class(received.length))));
        let words = own_words(&received.bytes, sent);
        shown.extend(words.map(|word| hash(&(received.end, word))));
    }
    if run.observed.not_taken > 0 {
        shown.push(hash(&"not taken"));
    }
    if latency {
        shown.push(hash(&("cpu", time_class(run.cpu))));
    }
    shown.sort_unstable();
    shown.dedup();
    shown
}

fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// The first bytes of every part sent, by connection: whatever an echo could return.
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

fn begin_of(part: &DataPart, sent: &mut Vec<u8>) {
    match part {
        DataPart::Bytes(bytes) => sent.extend_from_slice(&bytes[..bytes.len().min(BYTES_MAX)]),
        DataPart::Repeat { unit, count } => {
            let times = (*count as usize).min(1 + 64 / unit.len());
            (0..times).for_each(|_| sent.extend_from_slice(unit));
        }
    }
}

/// Words of a reply that the case did not send.
fn own_words<'a>(reply: &'a [u8], sent: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let words = reply[..reply.len().min(BYTES_MAX)]
        .split(|byte| !byte.is_ascii_alphabetic())
        .filter(|word| WORD_BYTES.contains(&word.len()));
    words
        .take(WORDS_MAX)
        .filter(|word| memmem::find(sent, word).is_none())
}

/// Classes 0, 1, 2-3, 4-7, ... and powers of four above 64 bytes: an echo is as long as its request, and length
/// alone should not fill the corpus.
fn length_class(bytes: u64) -> u32 {
    let bits = u64::BITS - bytes.leading_zeros();
    if bits <= 6 { bits } else { 6 + (bits - 6) / 2 }
}

/// Classes by powers of eight, in milliseconds: only extreme CPU times stand out.
fn time_class(time: Duration) -> u32 {
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    (u64::BITS - ms.leading_zeros()) / 3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::wire::{ConnectionEnd, Observed, Received};
    use crate::process::Glance;

    fn ran(reply: &[u8], end: ConnectionEnd) -> CaseRun {
        CaseRun {
            observed: Observed {
                connections: vec![Received {
                    bytes: reply.to_vec(),
                    length: reply.len() as u64,
                    end,
                }],
                not_taken: 0,
                in_vain: 0,
            },
            cpu: Duration::ZERO,
            vital: Glance::default(),
        }
    }

    #[test]
    fn an_echo_is_one_shape_and_a_message_another() {
        let shape =
            |sent: &[u8], reply: &[u8], end| shape(&Case::sending(sent), &ran(reply, end), false);
        let echo = shape(b"hello abcd 17\n", b"hello abcd 17\n", ConnectionEnd::Eof);
        assert_eq!(
            echo,
            shape(b"other text 29\n", b"other text 29\n", ConnectionEnd::Eof)
        );
        assert_ne!(
            echo,
            shape(b"hello abcd 17\n", b"ERR not valid\n", ConnectionEnd::Eof)
        );
        assert_ne!(
            echo,
            shape(b"hello abcd 17\n", b"hello abcd 17\n", ConnectionEnd::Reset)
        );
        let error = shape(b"x 1\n", b"ERR line 12 is bad\n", ConnectionEnd::Eof);
        assert_eq!(
            error,
            shape(b"y 2\n", b"ERR line 47 is bad\n", ConnectionEnd::Eof)
        );
    }

    #[test]
    fn connections_that_are_alike_count_once() {
        let case = Case::sending(&b"x 1\n"[..]);
        let one = ran(b"ERR line 12 is bad\n", ConnectionEnd::Eof);
        let other = ran(b"", ConnectionEnd::Reset);
        let of = |runs: &[&CaseRun]| {
            let mut all = one.clone();
            let connections = runs.iter().flat_map(|ran| ran.observed.connections.clone());
            all.observed.connections = connections.collect();
            shape(&case, &all, false)
        };
        assert_eq!(of(&[&one]), of(&[&one, &one]));
        assert_eq!(of(&[&one, &other]), of(&[&other, &one, &one]));
        assert_ne!(of(&[&one]), of(&[&one, &other]));
    }

    #[test]
    fn an_echo_between_the_words_of_another_connection_is_one_still() {
        let send = |text: &[u8]| Step::Send(crate::fuzz::SendStep::whole(text));
        let case = Case::new(vec![
            send(b"abc"),
            Step::Connect,
            send(b"xyz"),
            Step::Switch(0),
            send(b"def"),
        ]);
        let mut both = ran(b"abcdef", ConnectionEnd::Eof);
        both.observed
            .connections
            .extend(ran(b"xyz", ConnectionEnd::Eof).observed.connections);
        let echo = shape(
            &Case::sending(&b"hijklm"[..]),
            &ran(b"hijklm", ConnectionEnd::Eof),
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
