//! Words from the server's replies, for the dictionary.

use std::collections::BTreeSet;

use crate::fuzz::epoch::Epoch;
use crate::talk::Exchange;

/// Maximum exchanges of the talk whose replies are read.
const EXCHANGES_MAX: usize = 16;
/// Length of a word, in bytes.
const WORD_BYTES: std::ops::RangeInclusive<usize> = 3..=40;
/// Maximum words.
const WORDS_MAX: usize = 128;

/// The words that come back whenever a turn of the talk is said. Those with digits are numbers, dates and tokens.
pub(super) fn words(epoch: &Epoch<'_>) -> Vec<Vec<u8>> {
    let talk = epoch.target.talk();
    let mut words = BTreeSet::new();
    let exchanges = talk.turns.iter().chain(&talk.bad).take(EXCHANGES_MAX);
    for exchange in exchanges.filter(|exchange| exchange.expect.has_reply()) {
        // What changes from one time to the next would make campaigns with the same seed differ.
        let (Some(once), Some(again)) = (said(epoch, exchange), said(epoch, exchange)) else {
            continue;
        };
        words.extend(once.into_iter().filter(|word| again.contains(word)));
    }
    words.into_iter().take(WORDS_MAX).collect()
}

fn said(epoch: &Epoch<'_>, exchange: &Exchange) -> Option<BTreeSet<Vec<u8>>> {
    let (_, reply) = epoch.ask(exchange, b"ping").ok()?;
    Some(of(&reply).collect())
}

/// The words of a reply.
pub(super) fn of(reply: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let inside = |byte: &u8| byte.is_ascii_alphabetic() || b"-_".contains(byte);
    // A token that is cut at its digits is not a word.
    let words = reply.split(|byte| !byte.is_ascii_alphanumeric() && !b"-_".contains(byte));
    let fits = move |word: &&[u8]| WORD_BYTES.contains(&word.len()) && word.iter().all(inside);
    words.filter(fits).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn words_without_digits() {
        let reply =
            b"HTTP/1.1 200 OK\r\nX-Powered-By: Thing\r\nDate: 29 Nov 2026\r\n\r\nk3jd8s hello";
        let words: Vec<Vec<u8>> = of(reply).collect();
        let words: Vec<&str> = words
            .iter()
            .map(|word| std::str::from_utf8(word).unwrap())
            .collect();
        assert_eq!(
            words,
            ["HTTP", "X-Powered-By", "Thing", "Date", "Nov", "hello"]
        );
    }
}
