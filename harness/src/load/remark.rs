//! The reported form of reasons and notes: a stable id and a sentence. Pure.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A reason or a note in its reported form, `<id>: <sentence>`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub struct Remark {
    /// The stable id.
    pub word: Cow<'static, str>,
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

impl<'de> Deserialize<'de> for Remark {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (word, sentence) = text
            .split_once(": ")
            .ok_or_else(|| de::Error::custom("a remark without an id"))?;
        Ok(Self {
            word: word.to_owned().into(),
            sentence: sentence.to_owned(),
        })
    }
}

/// Joins reasons or notes into a single text.
pub(crate) fn joined<T: fmt::Display>(remarks: &[T]) -> String {
    let all: Vec<String> = remarks.iter().map(T::to_string).collect();
    all.join("; ")
}
