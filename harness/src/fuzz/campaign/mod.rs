//! A campaign: lanes that run cases, each on a server of its own, and the triage of every symptom they meet.
//!
//! One life of a server is an epoch. A symptom ends the epoch; `blame` finds the cases that cause it, `triage`
//! minimizes and confirms them and writes the finding to disk, and the lane continues with the next epoch.

mod blame;
mod explorer;
mod lane;
mod run;
mod setup;
mod source;
mod state;
mod suspect;
mod triage;

pub use setup::{Campaign, CampaignError};

pub use super::corpus::CorpusError;
