//! Units of reported figures, and which direction of a metric is better.

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

/// The unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub enum Unit {
    /// Events per second.
    PerSecond,
    /// Bytes per second.
    BytesPerSecond,
    /// Microseconds.
    Micros,
    /// Bytes.
    Bytes,
    /// A number without a unit.
    Count,
}

/// Which direction of a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(with = "bool")]
pub(crate) enum Direction {
    /// More is better, as for throughput.
    HigherIsBetter,
    /// Less is better, as for response times.
    LowerIsBetter,
}

impl Unit {
    /// The unit as it is written in JSON; empty for a count.
    pub fn name(self) -> &'static str {
        match self {
            Self::PerSecond => "1/s",
            Self::BytesPerSecond => "B/s",
            Self::Micros => "us",
            Self::Bytes => "bytes",
            Self::Count => "",
        }
    }
}

impl Serialize for Unit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// As the answer to "is higher better?".
impl Serialize for Direction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(*self == Self::HigherIsBetter)
    }
}
