//! What an oracle saw: the kind of bug, its identity and the evidence.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is wrong with the server, named after the oracle that saw it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// A server process ended: killed by a signal, or by an exit that nobody requested.
    Crash,
    /// The server keeps running but reported a bug of its own: a panic, a traceback, a sanitizer report.
    Panic,
    /// The server keeps running but serves no client any more.
    Hang,
    /// The server serves clients and computes although it has nothing to do, after system calls were given other results.
    Spin,
    /// While the case runs, other clients are served far too slowly.
    Starvation,
    /// Every run of the case leaves descriptors, threads or memory behind.
    Leak,
    /// The reply to the same bytes depends on how they were split into segments.
    Divergence,
    /// The work of the server grows much faster than its input.
    Complexity,
    /// One message makes the server log many times what it was sent.
    Flood,
    /// The server violates its own conversation: it accepts what it must refuse, or alters its input.
    Conformance,
    /// Two servers reply differently to the same bytes, and each of them always the same.
    Difference,
}

impl FindingKind {
    /// All kinds.
    pub const ALL: [Self; 11] = [
        Self::Crash,
        Self::Panic,
        Self::Hang,
        Self::Spin,
        Self::Starvation,
        Self::Leak,
        Self::Divergence,
        Self::Complexity,
        Self::Flood,
        Self::Conformance,
        Self::Difference,
    ];

    /// What it is, in a sentence.
    #[cfg(feature = "cli")]
    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Crash => {
                "a process of the server ended: killed by a signal, or by an exit that nobody requested"
            }
            Self::Panic => {
                "the server goes on, but reported a bug of its own: a panic, a traceback, a report of a sanitizer"
            }
            Self::Hang => "the server runs, but serves no client any more",
            Self::Spin => "the server computes although it has nothing to do",
            Self::Starvation => "while the case runs, other clients are served far too slowly",
            Self::Leak => "every run of the case leaves descriptors, threads or memory behind",
            Self::Divergence => {
                "the reply to the same bytes depends on how they were split into segments"
            }
            Self::Complexity => "the work of the server grows much faster than its input",
            Self::Flood => "one message makes the server log many times what it was sent",
            Self::Conformance => {
                "the server violates its own conversation: it accepts what it must refuse, or alters what it was sent"
            }
            Self::Difference => {
                "two servers reply differently to the same bytes, and each of them always the same"
            }
        }
    }

    /// Whether it is measured, so that it counts only if it recurs every time.
    pub(crate) fn is_measured(self) -> bool {
        matches!(
            self,
            Self::Leak
                | Self::Spin
                | Self::Starvation
                | Self::Complexity
                | Self::Flood
                | Self::Divergence
                | Self::Difference
        )
    }

    /// Whether one per turn is settled: others of the same turn are nearly always the same bug.
    pub(crate) fn is_of_a_turn(self) -> bool {
        matches!(
            self,
            Self::Leak | Self::Complexity | Self::Flood | Self::Divergence | Self::Difference
        )
    }

    /// Whether a program can reproduce it: it needs one server, and nothing that a client alone cannot do.
    pub fn has_programs(self) -> bool {
        !matches!(self, Self::Difference | Self::Spin)
    }

    /// The name used in reports and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Panic => "panic",
            Self::Hang => "hang",
            Self::Spin => "spin",
            Self::Starvation => "starvation",
            Self::Leak => "leak",
            Self::Divergence => "divergence",
            Self::Complexity => "complexity",
            Self::Flood => "flood",
            Self::Conformance => "conformance",
            Self::Difference => "difference",
        }
    }
}

/// What an oracle saw.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Symptom {
    /// What is wrong.
    pub kind: FindingKind,
    /// A sentence about what was seen; safe to print.
    pub title: String,
    /// Identifies the bug across campaigns: kind, signal, stack frames or normalized message.
    pub key: String,
    /// Measurements and output by name; strings are safe to print.
    pub evidence: BTreeMap<String, Value>,
}

impl Symptom {
    /// A symptom without evidence.
    pub(crate) fn new(kind: FindingKind, key: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            kind,
            key: format!("{}: {}", kind.name(), key.into()),
            title: title.into(),
            evidence: BTreeMap::new(),
        }
    }

    /// Adds a piece of evidence.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.evidence.insert(name.into(), value.into());
        self
    }
}

/// The non-empty lines of a piece of evidence that is a list of lines; `None` for any other value.
pub(crate) fn evidence_lines(evidence: &Value) -> Option<Vec<&str>> {
    let lines = evidence.as_array()?.iter().map(Value::as_str);
    let mut lines = lines.collect::<Option<Vec<&str>>>()?;
    lines.retain(|line| !line.trim().is_empty());
    Some(lines)
}
