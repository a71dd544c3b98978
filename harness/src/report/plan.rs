//! The plan of a run, as it is written to the JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::OnInconclusive;
use crate::data::hash::hash_of;
use crate::subject::ServerPlan;

/// The plan of a run: the server, the conversation, and what the feature is to do.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct RunPlan<P> {
    /// The servers, and how they are reached.
    #[serde(flatten)]
    pub servers: Servers,
    /// The name of the talk.
    pub talk: String,
    /// What the feature is to do.
    #[serde(flatten)]
    pub feature: P,
    /// What becomes of a run that is inconclusive.
    pub on_inconclusive: OnInconclusive,
}

/// The servers of a run.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(untagged)]
pub(crate) enum Servers {
    /// The server under test.
    One {
        /// How it is reached.
        server: Box<ServerPlan>,
    },
    /// The servers of a gate.
    BaseAndCandidate {
        /// The server as it was; none with a stored baseline.
        base: Option<Box<ServerPlan>>,
        /// The server as it is to be.
        candidate: Box<ServerPlan>,
    },
}

impl<P: Serialize> RunPlan<P> {
    /// The hash of the plan: the same plan has the same hash on every machine.
    pub(crate) fn hash(&self) -> String {
        hash_of(self)
    }
}
