//! What a campaign needs, and why it may not start.

use std::path::PathBuf;
use std::time::Instant;

use crate::fuzz::corpus::CorpusError;
use crate::fuzz::feedback::FeedbackMode;
use crate::fuzz::plan::FuzzPlan;
use crate::fuzz::reproducer::Recipe;
use crate::subject::{Interrupt, RehearsalError, Subject, Waiver};

/// A campaign on one server.
pub struct Campaign {
    /// The server and its conversation.
    pub subject: Subject,
    /// The other server of a differential campaign.
    pub against: Option<Subject>,
    /// What to do.
    pub plan: FuzzPlan,
    /// Additional words for the dictionary.
    pub strings: Vec<Vec<u8>>,
    /// Waivers of the conversation file that are in force.
    pub waivers: Vec<Waiver>,
    /// What reproducers need to know about the server.
    pub recipe: Recipe,
    /// Ends the campaign early.
    pub interrupt: Interrupt,
    /// When the run began; its duration counts from here.
    pub begun: Instant,
}

/// Why a campaign could not start.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The server does not start, or does not hold its own conversation.
    #[error("{0}")]
    Rehearsal(Box<RehearsalError>),
    /// The other server does not start, or does not hold the conversation.
    #[error("the server of --against: {0}")]
    Against(Box<RehearsalError>),
    /// The server serves a single client and then no other.
    #[error("the server serves one client only: {0}")]
    SingleClient(String),
    /// The corpus cannot be read.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// The folder of a shared corpus cannot be used.
    #[error("{0}: {1}")]
    Fleet(PathBuf, std::io::Error),
    /// The feedback that was asked for is not possible.
    #[error("--feedback {asked}: {1}", asked = .0.name())]
    Feedback(FeedbackMode, String),
    /// Results of system calls cannot be injected.
    #[error("--inject: {0}")]
    Inject(String),
    /// A folder cannot be created.
    #[error("{0}: {1}")]
    Folder(PathBuf, std::io::Error),
}

impl From<RehearsalError> for CampaignError {
    fn from(error: RehearsalError) -> Self {
        Self::Rehearsal(Box::new(error))
    }
}
