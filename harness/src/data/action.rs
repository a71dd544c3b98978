//! Who did what when on the connections of a check.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who took a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Actor {
    /// The client, on a connection.
    Client,
    /// The server, on a connection.
    Server,
    /// The check, beside the connections: a signal, a start, a wait.
    Check,
}

/// One step.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize, Deserialize)]
pub(crate) struct Action {
    /// Milliseconds since the check began.
    pub at_ms: f64,
    /// The number of the connection, starting at 1; 0 if it concerns none.
    pub connection: u32,
    /// Who took it.
    pub by: Actor,
    /// What was done.
    pub what: String,
    /// How often in a row; the connection is the first one.
    pub times: u32,
}

impl Action {
    /// What was done, and how often.
    pub(crate) fn phrase(&self) -> String {
        match self.times {
            0 | 1 => self.what.clone(),
            times => format!("{} ({times} times)", self.what),
        }
    }
}

/// The steps of one check, as they are reported.
#[derive(Clone, Debug, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub(crate) struct Actions {
    /// The first ones.
    pub first: Vec<Action>,
    /// Number of steps between, which were not kept.
    pub left_out: u64,
    /// The last ones.
    pub last: Vec<Action>,
}

impl Actions {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}
