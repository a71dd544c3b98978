//! What guides a campaign: a case that shows something new is kept, and changed again.
//!
//! To add a feedback: one file that answers [`Guide::sees`], one variant here.

mod shape;

use std::collections::HashSet;

use serde::Serialize;

use super::Case;
use super::life::Ran;
pub use shape::shape;

/// Different things that are remembered at most; beyond them nothing is new.
const SEEN_MAX: usize = 1 << 20;

/// Which feedback a campaign uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guide {
    /// The shape of the replies: works with every server.
    #[default]
    Shape,
    /// None: every case is made from the seeds and the corpus as it is.
    None,
}

impl Guide {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shape => "shape",
            Self::None => "none",
        }
    }

    /// What this run shows, each as a number. Nothing, if nothing guides.
    ///
    /// `latency`: whether how long a reply took takes part; it is never the same twice.
    pub fn sees(self, case: &Case, ran: &Ran, latency: bool) -> Vec<u64> {
        match self {
            Self::Shape => shape(case, ran, latency),
            Self::None => Vec::new(),
        }
    }
}

/// What has been seen so far.
#[derive(Debug, Default)]
pub struct Feedback {
    seen: HashSet<u64>,
}

impl Feedback {
    /// Those that were never seen before.
    pub fn fresh(&self, shown: &[u64]) -> Vec<u64> {
        let room = self.seen.len() < SEEN_MAX;
        let fresh = shown.iter().filter(|one| room && !self.seen.contains(one));
        fresh.copied().collect()
    }

    /// Remembers them.
    pub fn keep(&mut self, shown: &[u64]) {
        self.seen.extend(shown);
    }

    /// How many different things were seen.
    pub fn count(&self) -> usize {
        self.seen.len()
    }
}
