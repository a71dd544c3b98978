//! The reported form of reasons and notes: a stable id and a sentence. Pure.

use std::fmt;

use serde::{Serialize, Serializer};

/// A reason or a note in its reported form, `<id>: <sentence>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The stable id.
    pub word: &'static str,
    /// The sentence for readers.
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

/// Joins reasons or notes into a single text.
pub(crate) fn joined<T: fmt::Display>(remarks: &[T]) -> String {
    let all: Vec<String> = remarks.iter().map(T::to_string).collect();
    all.join("; ")
}
