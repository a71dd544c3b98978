//! What a campaign found.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Case;

/// What is wrong, by the oracle that saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A process of the server ended: a signal, or an exit that nobody asked for.
    Crash,
    /// It lives, and reported a bug of its own: a panic, a traceback, a sanitizer's report.
    Panic,
    /// It lives and serves nobody any more.
    Hang,
    /// While the case is under way others are served far too slowly.
    Starvation,
    /// Every case leaves something behind: descriptors, threads, memory.
    Leak,
    /// The same bytes are answered otherwise when they arrive in other pieces.
    Divergence,
    /// Its work grows much faster than its input.
    Complexity,
    /// It breaks its own conversation: it accepts what must be refused, or alters what it was given.
    Conformance,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Crash,
        Self::Panic,
        Self::Hang,
        Self::Starvation,
        Self::Leak,
        Self::Divergence,
        Self::Complexity,
        Self::Conformance,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Panic => "panic",
            Self::Hang => "hang",
            Self::Starvation => "starvation",
            Self::Leak => "leak",
            Self::Divergence => "divergence",
            Self::Complexity => "complexity",
            Self::Conformance => "conformance",
        }
    }
}

/// How often a finding was seen again on fresh servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confirmed {
    /// Times it was seen.
    pub seen: u32,
    /// Times it was looked for.
    pub of: u32,
}

impl std::fmt::Display for Confirmed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.seen, self.of)
    }
}

impl Serialize for Confirmed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One bug, as far as can be told.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Stable over campaigns for the same bug: its kind and a hash of its key.
    pub id: String,
    /// What is wrong.
    pub kind: Kind,
    /// What was seen, in one sentence; safe to show.
    pub title: String,
    /// How often it was seen again. `0/5` could not be repeated and is kept with the whole epoch.
    pub confirmed: Confirmed,
    /// Steps of all cases together.
    pub steps: usize,
    /// Bytes of all cases together.
    pub bytes: usize,
    /// The folder that holds `case.json`, `reproduce.py` and `reproduce.rs`.
    pub reproducer: Option<PathBuf>,
    /// A command that shows it again.
    pub reproduce: String,
    /// Seconds from the start of the campaign until it was first seen.
    pub first_seen_s: f64,
    /// Whether the minimizer came to its end. If not, a smaller case may exist.
    pub minimal: bool,
    /// What makes it the same bug as another one: kind, signal, frames or normalized message.
    pub key: String,
    /// What was measured or printed, by name; strings are safe to show.
    pub evidence: BTreeMap<String, Value>,
    /// Why it does not count, if a waiver says so.
    pub waived: Option<String>,
    /// The cases, in the order in which they are run on one fresh server.
    pub cases: Vec<Case>,
}

impl Finding {
    /// Whether it is a bug for sure, and nobody has waived it.
    pub fn counts(&self) -> bool {
        self.waived.is_none() && (self.confirmed.seen > 0 || self.kind == Kind::Crash)
    }
}

/// What a campaign came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Fuzzed {
    /// Cases that were run, those of confirmation and minimization not counted.
    pub executions: u64,
    /// The same per second of campaign time, without confirmation and minimization.
    pub executions_per_s: f64,
    /// What guided the campaign.
    pub coverage: Coverage,
    /// What was found, the surest first.
    pub findings: Vec<Finding>,
    /// Lives of the server.
    pub restarts: u64,
    /// Cases in the corpus at the end.
    pub corpus: usize,
    /// Instances of the server beside each other.
    pub jobs: usize,
    /// Canary sessions that were held.
    pub canaries: u64,
    /// What a reader should know and what is no finding.
    pub notes: Vec<String>,
}

/// What guided a campaign.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Coverage {
    /// The feedback: `shape` or `none`.
    pub feedback: String,
    /// How many different things were seen.
    pub edges: usize,
}
