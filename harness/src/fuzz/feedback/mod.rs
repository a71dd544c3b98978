//! What guides a campaign: a case that shows something new enters the corpus and is mutated again.
//!
//! To add a feedback: one file with a function like `shape::shape`, one variant of [`FeedbackMode`].

mod shape;

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::Case;
use super::epoch::CaseRun;

/// Maximum number of distinct observations to remember; after that nothing counts as new.
const SEEN_MAX: usize = 1 << 20;

/// The feedback of a campaign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeedbackMode {
    /// The best that the server and the system support.
    Auto,
    /// The basic blocks that the server executes, and the shape of the replies.
    Breakpoints,
    /// The edges that a server built for AFL or with `-fsanitize-coverage` counts, and the shape of the replies.
    Edges,
    /// The lines and instructions that a Python server executes, and the shape of the replies.
    Python,
    /// The functions and blocks that a Node server executes, and the shape of the replies.
    Node,
    /// The shape of the replies; works with every server.
    #[default]
    Shape,
    /// No feedback: the corpus does not grow.
    None,
}

impl FeedbackMode {
    /// The name used in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Breakpoints => "breakpoints",
            Self::Edges => "edges",
            Self::Python => "python",
            Self::Node => "node",
            Self::Shape => "shape",
            Self::None => "none",
        }
    }

    /// The observations in the replies of a run, each as a hash.
    ///
    /// `latency` includes CPU time, which differs from run to run.
    pub(crate) fn observations(self, case: &Case, run: &CaseRun, latency: bool) -> Vec<u64> {
        match self {
            Self::None => Vec::new(),
            _ => shape::shape(case, run, latency),
        }
    }
}

/// All observations of a campaign.
#[derive(Debug, Default)]
pub(crate) struct Feedback {
    seen: HashSet<u64>,
}

impl Feedback {
    /// The observations that are new.
    pub(crate) fn fresh(&self, shown: &[u64]) -> Vec<u64> {
        let room = self.seen.len() < SEEN_MAX;
        let fresh = shown.iter().filter(|one| room && !self.seen.contains(one));
        fresh.copied().collect()
    }

    /// Remembers the observations.
    pub(crate) fn keep(&mut self, shown: &[u64]) {
        self.seen.extend(shown);
    }

    /// The number of distinct observations.
    pub(crate) fn count(&self) -> usize {
        self.seen.len()
    }
}
