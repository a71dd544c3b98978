//! What a campaign is asked to do, as plain data.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::feedback::FeedbackMode;
use crate::data::hash::fnv1a;

/// Default duration of a campaign.
pub const DURATION: Duration = Duration::from_secs(30);

/// Maximum servers in parallel, unless more are asked for.
const JOBS_MAX: usize = 8;

/// The usual number of servers in parallel: one for each core.
pub(crate) fn usual_jobs() -> usize {
    std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(JOBS_MAX)
}

/// The number of a campaign in a fleet of several.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize, Deserialize,
)]
pub struct MemberNumber {
    /// From 1 to `count`.
    pub index: usize,
    /// The number of campaigns.
    pub count: usize,
}

impl MemberNumber {
    /// The seed of this member, given that of the fleet: members run different cases.
    pub fn seed(self, of_fleet: u64) -> u64 {
        match self.count {
            0 | 1 => of_fleet,
            _ => fnv1a(format!("{of_fleet} {}/{}", self.index, self.count).as_bytes()),
        }
    }
}

/// A validated description of a campaign.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct FuzzPlan {
    /// Servers to run in parallel.
    pub jobs: usize,
    /// End after this time; `None` if only `cases` ends the campaign.
    pub duration: Option<Duration>,
    /// End after this many cases.
    pub cases: Option<u64>,
    /// Settle at the end what there was no time for, however long that takes.
    pub settle: bool,
    /// Let cases give system calls of the server other results.
    pub inject: bool,
    /// Tell which functions and lines were reached, if blocks are seen.
    pub code: bool,
    /// End with the first finding that fresh servers show again.
    pub stop_on_first: bool,
    /// What guides the campaign.
    pub feedback: FeedbackMode,
    /// Count the basic blocks that are reached although they do not guide the campaign.
    pub watch: bool,
    /// Shared libraries whose blocks are seen too, by the beginnings of their file names.
    pub libraries: Vec<String>,
    /// Which member of a fleet this is, if it has a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberNumber>,
    /// Work together with every campaign on the same corpus, and look for what they have found after this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync: Option<Duration>,
    /// The folder of the corpus; `None` keeps it in memory only.
    #[serde(skip)]
    pub corpus: Option<PathBuf>,
    /// The folder for the logs of running epochs.
    #[serde(skip)]
    pub logs: PathBuf,
    /// The folder for findings.
    #[serde(skip)]
    pub out: PathBuf,
}

impl FuzzPlan {
    pub(crate) fn findings(&self) -> PathBuf {
        self.out.join("findings")
    }
}
