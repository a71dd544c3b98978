//! Tokens: unique names of requests, by which replies are told apart.

/// Length of a token, in characters of `[a-z0-9]`. The first is a letter: many protocols want names to begin with one.
pub const TOKEN_LEN: usize = 12;

/// Five bits per character, so that a load engine writes a token without a division. Excludes
/// letters that look like digits.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The letters that a token begins with: four bits.
const LETTERS: &[u8; 16] = b"abcdefghjkmnpqrs";

/// 59 bits, as many as twelve characters hold, so that every number has its own token.
const MASK: u64 = (1 << 59) - 1;

/// Number of bits of the count of tokens in a stream, before the next stream starts.
const STREAM_BITS: u32 = 40;

/// A source of unique tokens. Equal seeds and streams give equal tokens; different streams of a
/// seed share none.
#[derive(Debug, Clone)]
pub struct Tokens {
    seed: u64,
    next: u64,
}

impl Tokens {
    /// The tokens of `seed`.
    pub fn new(seed: u64) -> Self {
        Self::stream(seed, 0)
    }

    /// The tokens of one of up to half a million workers that share a seed.
    pub fn stream(seed: u64, worker: u32) -> Self {
        Self {
            seed,
            next: first_of(worker),
        }
    }

    /// A new token.
    #[expect(
        clippy::should_implement_trait,
        reason = "it never ends, so it is not an iterator"
    )]
    pub fn next(&mut self) -> String {
        let token = token(self.seed, self.next);
        self.next = self.next.wrapping_add(1);
        token
    }
}

/// Token number `count` of `seed`. Counts below 2^59 give different tokens.
pub fn token(seed: u64, count: u64) -> String {
    let mut characters = [0; TOKEN_LEN];
    write_token(seed, count, &mut characters);
    characters.iter().map(|byte| char::from(*byte)).collect()
}

/// Like [`token`], writing into `place`.
pub fn write_token(seed: u64, count: u64, place: &mut [u8; TOKEN_LEN]) {
    let mut number = shuffle((count ^ spread(seed)) & MASK);
    let [first, others @ ..] = place;
    *first = LETTERS[(number & 15) as usize];
    number >>= 4;
    for character in others {
        *character = ALPHABET[(number & 31) as usize];
        number >>= 5;
    }
}

/// Number of the first token of one of the workers that share a seed.
pub(crate) fn first_of(worker: u32) -> u64 {
    u64::from(worker) << STREAM_BITS
}

/// Whether `text` has the form of a token.
pub(crate) fn is_token(text: &str) -> bool {
    text.len() == TOKEN_LEN
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// A permutation of 59-bit numbers: each step is reversible, so different numbers stay different.
fn shuffle(mut x: u64) -> u64 {
    x ^= x >> 30;
    x = x.wrapping_mul(0x3f58_476d_1ce4_e5b9) & MASK;
    x ^= x >> 29;
    x = x.wrapping_mul(0x14d0_49bb_1331_11eb) & MASK;
    x ^ (x >> 30)
}

/// The offset of a seed (the finalizer of splitmix64).
fn spread(seed: u64) -> u64 {
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn fixed_length_and_alphabet() {
        let mut tokens = Tokens::new(7);
        for _ in 0..1000 {
            let token = tokens.next();
            assert!(is_token(&token), "{token}");
            assert!(token.as_bytes()[0].is_ascii_lowercase(), "{token}");
        }
        assert!(!is_token("short"));
        assert!(!is_token("ABCDEFGHIJKL"));
        assert!(!is_token("1bcdefghijkl"));
    }

    #[test]
    fn never_twice_in_a_seed() {
        let mut seen = HashSet::new();
        for worker in 0..4 {
            let mut tokens = Tokens::stream(42, worker);
            for _ in 0..25_000 {
                assert!(seen.insert(tokens.next()));
            }
        }
    }

    #[test]
    fn repeatable_and_seeded() {
        assert_eq!(Tokens::new(1).next(), Tokens::new(1).next());
        assert_ne!(Tokens::new(1).next(), Tokens::new(2).next());
        assert_eq!(token(3, 5), {
            let mut tokens = Tokens::new(3);
            (0..5).for_each(|_| drop(tokens.next()));
            tokens.next()
        });
    }
}
