//! Reasons and notes as they are reported: a stable word, and a sentence. Pure.

use std::fmt;

use serde::{Serialize, Serializer};

/// A reason or a note as it is reported: a stable word, a colon, a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The stable word.
    pub word: &'static str,
    /// The sentence.
    pub sentence: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.word, self.sentence)
    }
}

impl Serialize for Remark {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reasons or notes one after the other, for a single field of text.
pub fn joined<T: fmt::Display>(remarks: &[T]) -> String {
    let all: Vec<String> = remarks.iter().map(T::to_string).collect();
    all.join("; ")
}
