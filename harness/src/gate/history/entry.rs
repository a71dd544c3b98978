//! A line of a history, as it is read back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The schema of the lines.
pub(crate) const SCHEMA: &str = "tcprove-history/1";

/// A gate, as its line tells.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Entry {
    /// [`SCHEMA`].
    pub schema: String,
    /// Names the run.
    pub run_id: String,
    /// When it was, in RFC 3339.
    pub time: String,
    /// The commit of the candidate, as the user or the CI calls it. Lines of older versions have none.
    #[serde(default)]
    pub commit: Option<String>,
    /// The hash of `machine`: figures of other machines are not comparable.
    pub fingerprint: String,
    /// The machine.
    pub machine: Machine,
    /// The name of the candidate.
    pub target: Option<String>,
    /// The hash of what the base's command consists of; `None` if it cannot be told.
    #[serde(default)]
    pub base_content: Option<String>,
    /// What was compared.
    pub cells: Vec<EntryCell>,
}

/// What the fingerprint of a machine is made of.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// Model of the processor.
    pub model: String,
    /// Number of processors.
    pub cpus: usize,
    /// Kernel release.
    pub kernel: String,
}

/// A metric of a gate.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct EntryCell {
    /// Its name. A later version may have others.
    pub metric: String,
    /// The load, if there are several.
    pub at: Option<String>,
    /// The candidate's figure.
    pub candidate: Option<f64>,
    /// How much worse than the base it is, in percent.
    pub estimate_pct: Option<f64>,
}

/// Why a line is not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EntryError {
    /// It is no JSON, or lacks something.
    #[error("line {line}: {error}")]
    Broken {
        /// Its number, from 1.
        line: usize,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// It has another schema.
    #[error("line {line} has the schema `{schema}`, and not {SCHEMA}")]
    Foreign {
        /// Its number, from 1.
        line: usize,
        /// The schema that it names.
        schema: String,
    },
}

/// All gates of a history, in the order of the lines; empty lines are skipped.
pub(crate) fn parse(text: &str) -> Result<Vec<Entry>, EntryError> {
    let lines = text
        .lines()
        .zip(1..)
        .filter(|(text, _)| !text.trim().is_empty());
    lines
        .map(|(text, line)| {
            let entry: Entry =
                serde_json::from_str(text).map_err(|error| EntryError::Broken { line, error })?;
            if entry.schema == SCHEMA {
                Ok(entry)
            } else {
                let schema = entry.schema;
                Err(EntryError::Foreign { line, schema })
            }
        })
        .collect()
}
