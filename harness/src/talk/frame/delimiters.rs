//! The delimiters that end a message: one, or one of several.

use memchr::memmem;

use crate::text::escape;

/// The delimiters, at least one, none empty. A message ends with the first that is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delimiters(Vec<Vec<u8>>);

impl Delimiters {
    /// One of `delimiters`. `None` if there is none, or an empty one.
    pub fn new(delimiters: Vec<Vec<u8>>) -> Option<Self> {
        let fine = !delimiters.is_empty() && delimiters.iter().all(|one| !one.is_empty());
        fine.then_some(Self(delimiters))
    }

    /// Always this delimiter, which is not empty.
    pub(super) fn one(delimiter: &[u8]) -> Self {
        Self(vec![delimiter.to_vec()])
    }

    pub(crate) fn all(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// Length of the longest, in bytes.
    pub(super) fn longest(&self) -> usize {
        self.0.iter().map(Vec::len).max().unwrap_or(1)
    }

    /// The offset after the first delimiter that is complete.
    pub(super) fn end_in(&self, bytes: &[u8]) -> Option<usize> {
        let end = |one: &Vec<u8>| Some(memmem::find(bytes, one)? + one.len());
        self.0.iter().filter_map(end).min()
    }

    /// The delimiter that ends this message: the longest, if one ends with another.
    pub(crate) fn of<'a>(&self, message: &'a [u8]) -> &'a [u8] {
        let ends = self.0.iter().filter(|one| message.ends_with(one));
        let len = ends.map(Vec::len).max().unwrap_or(0);
        &message[message.len() - len..]
    }

    /// Whether none occurs in `payload`, nor begins in it and ends with a delimiter after it.
    pub(super) fn leave(&self, payload: &[u8]) -> bool {
        self.0.iter().all(|end| {
            let with_end = [payload, end].concat();
            let begins = |one: &Vec<u8>| memmem::find(&with_end, one);
            let first = self.0.iter().filter_map(begins).min();
            // A `\r` before a single `\n` would form a different line end.
            first == Some(payload.len()) && !(end == b"\n" && payload.ends_with(b"\r"))
        })
    }

    pub(super) fn describe(&self) -> String {
        let quoted: Vec<String> = self
            .0
            .iter()
            .map(|one| format!("\"{}\"", escape(one, 20)))
            .collect();
        format!("until {}", quoted.join(" or "))
    }
}
