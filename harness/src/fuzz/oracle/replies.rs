//! Replies as a pattern: what is the same in every run of a case, and what differs from run to run.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::fuzz::wire::{ConnectionEnd, Observed};
use crate::text::escape;

/// Times, which differ from day to day even if they are equal in a few runs.
static TIMES: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = concat!(
        r"(?-u)\w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d",
        r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?",
        r"|\b1[6-9]\d{8}(\d{3})?\b",
    );
    Regex::new(pattern).unwrap_or_else(|error| unreachable!("invalid built-in pattern: {error}"))
});

/// Bytes of the common beginning that are shown.
const SAME_SHOWN: usize = 24;

/// The replies of several runs of the same case, one per connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Reply>);

/// What one connection received.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reply {
    /// Words and other bytes in turn; `None` for what differs between the runs.
    tokens: Vec<Option<Vec<u8>>>,
    /// A reset may have overtaken the rest.
    cut: bool,
}

impl Pattern {
    /// The replies of one run.
    pub(crate) fn once(replies: &[(&[u8], bool)]) -> Self {
        let reply = |(bytes, cut): &(&[u8], bool)| Reply {
            tokens: tokens(&TIMES.replace_all(bytes, &b"TIME"[..])),
            cut: *cut,
        };
        Self(replies.iter().map(reply).collect())
    }

    /// What a client observed in one run.
    pub(crate) fn of(observed: &Observed) -> Self {
        let connections = observed.connections.iter();
        let replies: Vec<(&[u8], bool)> = connections
            .map(|received| (&received.bytes[..], received.end != ConnectionEnd::Eof))
            .collect();
        Self::once(&replies)
    }

    /// Both together: what differs between them is not fixed. `None` if they have different numbers of words.
    pub(crate) fn and(mut self, other: &Self) -> Option<Self> {
        if self.0.len() != other.0.len() {
            return None;
        }
        for (one, other) in self.0.iter_mut().zip(&other.0) {
            one.cut |= other.cut;
            if one.tokens.len() != other.tokens.len() && !one.cut {
                return None;
            }
            one.tokens.truncate(other.tokens.len());
            for (token, other) in one.tokens.iter_mut().zip(&other.tokens) {
                if token != other {
                    *token = None;
                }
            }
        }
        Some(self)
    }

    /// Whether they differ in something that is fixed on both sides.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        let mut pairs = self.0.iter().zip(&other.0);
        self.0.len() != other.0.len() || pairs.any(|(one, other)| one.differs(other))
    }
}

impl Reply {
    fn differs(&self, other: &Self) -> bool {
        let mut pairs = self.tokens.iter().zip(&other.tokens);
        // What was cut off may be missing.
        let lengths = self.tokens.len() != other.tokens.len() && !self.cut && !other.cut;
        lengths || pairs.any(|(one, other)| one.is_some() && other.is_some() && one != other)
    }
}

/// Words of letters and digits, and every other byte for itself.
fn tokens(bytes: &[u8]) -> Vec<Option<Vec<u8>>> {
    let together =
        |one: &u8, other: &u8| one.is_ascii_alphanumeric() && other.is_ascii_alphanumeric();
    bytes
        .chunk_by(together)
        .map(|token| Some(token.to_vec()))
        .collect()
}

/// Two replies for a reader, from shortly before the first difference on.
pub(crate) fn both_shown(one: &[u8], other: &[u8], most: usize) -> (String, String) {
    let pairs = one.iter().zip(other);
    let same = pairs.take_while(|(one, other)| one == other).count();
    let from = same.saturating_sub(SAME_SHOWN);
    let shown = |bytes: &[u8]| match bytes.len() {
        0 => "nothing".to_owned(),
        len if len == same => format!("nothing more after {len} bytes"),
        _ if from == 0 => format!("\"{}\"", escape(bytes, most)),
        _ => format!("\"…{}\" from byte {from} on", escape(&bytes[from..], most)),
    };
    (shown(one), shown(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(runs: &[&str]) -> Option<Pattern> {
        let mut all = runs
            .iter()
            .map(|run| Pattern::once(&[(run.as_bytes(), false)]));
        let first = all.next()?;
        all.try_fold(first, |one, other| one.and(&other))
    }

    fn differ(one: &[&str], other: &[&str]) -> bool {
        pattern(one).unwrap().differs(&pattern(other).unwrap())
    }

    #[test]
    fn only_what_is_fixed_on_both_sides_counts() {
        assert!(differ(&["OK 1\n"], &["OK 2\n"]));
        assert!(!differ(&["OK 1\n", "OK 7\n"], &["OK 2\n"]));
        assert!(differ(&["OK 1\n", "OK 7\n"], &["ERR 2\n"]));
        assert!(differ(&["OK 1\n"], &["OK 1\n\n"]));
        assert_eq!(pattern(&["a b", "a"]), None);
    }

    #[test]
    fn times_never_count() {
        let date = |date: &str| format!("Date: {date} GMT\r\nx: 1\r\n");
        let one = date("Sun, 29 Nov 2026 06:05:23");
        assert!(!differ(&[&one], &[&date("Mon, 30 Nov 2026 16:15:24")]));
        assert!(!differ(&["at 1795932323"], &["at 1795932399"]));
        assert!(differ(&["at 179593"], &["at 179594"]));
    }

    #[test]
    fn a_reset_may_overtake_the_end() {
        let whole = Pattern::once(&[(b"a\nb\n", false)]);
        let cut = Pattern::once(&[(b"a\n", true)]);
        assert!(!whole.differs(&cut) && !cut.differs(&whole));
        assert!(whole.differs(&Pattern::once(&[(b"c\n", true)])));
    }
}
