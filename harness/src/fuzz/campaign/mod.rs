//! A campaign: lanes that run cases, each on a server of its own, and the triage of every symptom they meet.
//!
//! One life of a server is an epoch. A symptom ends the epoch; `blame` finds the cases that cause it, `triage`
//! minimizes and confirms them and writes the finding to disk, and the lane continues with the next epoch.

mod blame;
mod block_growth;
mod candidates;
mod clock;
mod closely;
mod confirm;
mod explorer;
mod growth;
mod guidance;
mod heap;
mod heard;
mod lane;
mod last;
mod membership;
mod news;
mod place;
mod pool;
mod publish;
mod run;
mod setup;
mod slow;
mod source;
mod state;
mod suspect;
mod triage;
mod unsettled;

pub use setup::{Campaign, CampaignError};
#[cfg(feature = "cli")]
pub(in crate::fuzz) use suspect::{id, identity};

pub use super::corpus::CorpusError;
