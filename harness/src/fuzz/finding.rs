//! The findings of a campaign and its totals.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::Case;
use super::code::CodeCoverage;
use super::kept::KeptCase;
use super::plan::MemberNumber;
use super::symptom::{FindingKind, Symptom};
use crate::stats::clopper_pearson;

/// The level of the interval of a rate.
const LEVEL: f64 = 0.95;
/// The probability with which a bug that is still there may be taken for gone.
const MISSED: f64 = 0.01;

/// How many fresh servers showed the bug again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub struct Confirmed {
    /// Servers that showed it.
    pub seen: u32,
    /// Servers that were tried.
    pub of: u32,
}

impl Confirmed {
    /// Whether every server showed it, of at least one.
    pub fn is_every(self) -> bool {
        self.seen == self.of && self.of > 0
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            seen: self.seen + other.seen,
            of: self.of + other.of,
        }
    }
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

impl<'de> Deserialize<'de> for Confirmed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parts = text.split_once('/');
        let parts = parts.and_then(|(seen, of)| Some((seen.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((seen, of)) if seen <= of => Ok(Self { seen, of }),
            _ => Err(D::Error::custom(format!("`{text}` is not as in 4/5"))),
        }
    }
}

/// One bug and the cases that trigger it.
#[derive(Clone, Debug, JsonSchema, Serialize, Deserialize)]
pub struct Finding {
    /// The kind and a hash of the symptom's key: the same bug has the same id in every campaign.
    pub id: String,
    /// What was seen.
    #[serde(flatten)]
    pub symptom: Symptom,
    /// How often the minimized cases showed it. `0/5` did not recur; it is stored with all cases that its server had seen.
    pub confirmed: Confirmed,
    /// How often they showed it again at the end of the run, one server after the other. `0/0`: there was no time.
    pub again: Confirmed,
    /// How often it shows, if that is neither always nor never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// What the campaign had no time for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsettled: Option<String>,
    /// The member of the fleet that settled it, if that was another one, now or earlier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found_by: Option<String>,
    /// The turn whose request shows it, for kinds of which one is settled per turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<String>,
    /// Total steps of all cases.
    pub steps: usize,
    /// Total bytes of all cases.
    pub bytes: usize,
    /// The folder that contains `case.json` and, for what a client alone can do, `reproduce.py` and `reproduce.rs`.
    pub reproducer: Option<PathBuf>,
    /// The command that reproduces the bug.
    pub reproduce: String,
    /// Seconds from the start of the campaign to the first sighting.
    pub first_seen_s: f64,
    /// Whether minimization completed. If not, a smaller case may exist.
    pub minimal: bool,
    /// The reason of the waiver that covers this finding.
    pub waived: Option<String>,
    /// The cases, in the order in which they run on one fresh server.
    pub cases: Vec<Case>,
}

/// The rate of an intermittent bug and its 95 % interval (Clopper and Pearson).
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Rate {
    /// The share of servers that showed it.
    pub estimate: f64,
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

impl Rate {
    /// The rate of a bug that these servers showed; `None` if none was asked.
    pub(crate) fn of(seen: Confirmed) -> Option<Self> {
        let interval = clopper_pearson(seen.seen.into(), seen.of.into(), LEVEL)?;
        Some(Self {
            estimate: interval.estimate,
            low: interval.low,
            high: interval.high,
        })
    }

    /// How many servers have to be asked so that a bug with the lower bound of this rate shows itself on one of them with
    /// a probability of 99 %. `None` if the lower bound is 0.
    pub(crate) fn servers_needed(&self) -> Option<u32> {
        let once = (self.low < 1.0).then(|| MISSED.ln() / (-self.low).ln_1p());
        match once {
            None => Some(1),
            Some(servers) if servers.is_finite() => Some(servers.ceil().min(1e6) as u32),
            Some(_) => None,
        }
    }
}

impl Finding {
    /// Whether it is a certain bug that no waiver covers. What is measured is certain only once it was confirmed.
    pub(crate) fn counts(&self) -> bool {
        let certain = match self.symptom.kind {
            FindingKind::Crash => true,
            kind if kind.is_measured() => self.confirmed.of > 1 && self.confirmed.is_every(),
            _ => self.confirmed.seen > 0,
        };
        self.waived.is_none() && certain
    }

    /// Whether it counts and showed itself again, where a server can be started for that.
    pub(crate) fn is_sure(&self) -> bool {
        let is_attached = self.confirmed.of == 0 && self.unsettled.is_none();
        self.counts() && (is_attached || self.confirmed.of > 1 && self.confirmed.seen > 0)
    }

    /// Whether its cases give system calls of the server other results.
    pub(crate) fn injects(&self) -> bool {
        self.cases.iter().any(Case::injects)
    }

    /// How many servers showed the bug after minimizing, and at the end of the run.
    pub(crate) fn seen(&self) -> Confirmed {
        self.confirmed.and(self.again)
    }

    /// Whether it shows on some servers only.
    pub(crate) fn is_intermittent(&self) -> bool {
        let seen = self.seen();
        seen.seen > 0 && !seen.is_every()
    }
}

/// The result of a campaign.
#[derive(Clone, Debug, Default, JsonSchema, Serialize, Deserialize)]
pub struct FuzzResult {
    /// The campaigns that were merged; empty for a single one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberRun>,
    /// Cases executed, without those of confirmation and minimization.
    pub executions: u64,
    /// Cases per second of fuzzing time, without confirmation and minimization.
    pub executions_per_s: f64,
    /// What guided the campaign.
    pub coverage: Coverage,
    /// The findings, the most certain first.
    pub findings: Vec<Finding>,
    /// How often a server was started for fuzzing.
    pub restarts: u64,
    /// Cases in the corpus at the end.
    pub corpus: usize,
    /// What each case of the corpus was the first to reach, by the name of its file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kept: BTreeMap<String, KeptCase>,
    /// Servers that ran in parallel.
    pub jobs: usize,
    /// Health checks: connections of a well-behaved client.
    pub canaries: u64,
    /// What the time was spent on.
    pub time: TimeSpent,
    /// Remarks for the reader that are not findings.
    pub notes: Vec<String>,
}

/// A campaign among several that were merged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize, Deserialize)]
pub struct MemberRun {
    /// Its number, if it had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberNumber>,
    /// The id of its run.
    pub run_id: String,
}

impl FuzzResult {
    /// Puts the findings in order, the most certain first.
    pub(crate) fn sort(&mut self) {
        self.findings.sort_by(|one, other| {
            let sure = |finding: &Finding| (finding.counts(), finding.confirmed.seen);
            let (one_kind, other_kind) = (one.symptom.kind, other.symptom.kind);
            (sure(other), one_kind, &one.id).cmp(&(sure(one), other_kind, &other.id))
        });
    }
}

/// What the lanes of a campaign spent their time on, in seconds, added up over the lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct TimeSpent {
    /// From the first line to the last, not added up.
    pub wall_s: f64,
    /// Starting servers for cases, and ending them.
    pub starting_s: f64,
    /// Running cases.
    pub cases_s: f64,
    /// Health checks, and tests after a hint.
    pub looking_s: f64,
    /// Reproducing, minimizing and confirming findings.
    pub settling_s: f64,
}

/// What guided a campaign.
#[derive(Clone, Debug, Default, JsonSchema, Serialize, Deserialize)]
pub struct Coverage {
    /// What guided the campaign: the sources of coverage (`breakpoints`, `edges`, `python`, `node`), joined by `+`, or
    /// `shape` or `none`.
    pub feedback: String,
    /// Why that was chosen, and what would see more.
    pub chosen: String,
    /// Distinct observations in the replies.
    pub edges: usize,
    /// Basic blocks of the server's program, if they were seen.
    pub blocks: Option<BlockCount>,
    /// What each source of coverage has seen.
    pub sources: Vec<SourceCount>,
    /// How many of the blocks had been reached when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over_time: Vec<BlocksAt>,
    /// Functions and lines, if they were asked for. A report has their numbers only.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub code: Option<CodeCoverage>,
}

/// What a source of coverage has seen.
#[derive(Clone, Debug, JsonSchema, Serialize, Deserialize)]
pub struct SourceCount {
    /// Its name, as in `--feedback`.
    pub source: String,
    /// What it sees, in the plural.
    pub unit: String,
    /// How many of them were reached.
    pub reached: usize,
    /// How many there are, if that is known.
    pub all: Option<usize>,
}

/// The number of blocks at one time.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct BlocksAt {
    /// Time since the start of the campaign, in seconds.
    pub seconds: f64,
    /// Number of blocks that had been reached.
    pub blocks: usize,
}

/// Basic blocks of a program.
#[derive(Clone, Copy, Debug, Default, JsonSchema, Serialize, Deserialize)]
pub struct BlockCount {
    /// Those that were executed.
    pub reached: usize,
    /// All of them.
    pub all: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rarer_bug_needs_more_servers() {
        let needed =
            |seen, of| Rate::of(Confirmed { seen, of }).and_then(|rate| rate.servers_needed());
        assert_eq!(needed(8, 8), Some(5));
        assert_eq!(needed(4, 8), Some(27));
        assert!(needed(1, 8).is_some_and(|servers| servers > 1400));
        assert_eq!(needed(0, 8), None);
        assert_eq!(needed(0, 0), None);
    }
}
