//! Case files: versioned JSON that a person can read and write.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Case, Data};

/// The version of the file format.
pub const SCHEMA: &str = "tcprove-case/1";

/// A case file. Its cases run in order on one server.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct CaseFile {
    /// The version of the format: [`SCHEMA`].
    pub schema: String,
    /// The cases; usually one.
    pub cases: Vec<Case>,
    /// The finding that these cases reproduce, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<serde_json::Value>,
    /// What the server replied when the case was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Recorded>,
}

/// The replies of a recorded session.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Recorded {
    /// All bytes from the server.
    pub replies: Data,
    /// The session ended in order, so nothing is missing.
    pub complete: bool,
    /// How many of these bytes came before the first send of the case, and after each; empty in older files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<usize>,
}

/// Why a text is not a valid case file.
#[derive(Debug, thiserror::Error)]
pub enum CaseFileError {
    /// It is not JSON, or does not have the expected structure.
    #[error("{0}")]
    Form(#[from] serde_json::Error),
    /// It has another version.
    #[error("its schema is `{0}`; this version reads `{SCHEMA}`")]
    Schema(String),
    /// It contains no case.
    #[error("it contains no case")]
    Empty,
}

impl CaseFile {
    /// A file of cases without a finding.
    pub fn of(cases: Vec<Case>) -> Self {
        Self {
            schema: SCHEMA.into(),
            cases,
            finding: None,
            recorded: None,
        }
    }

    /// Parses a file and truncates its cases to the limits.
    ///
    /// # Errors
    /// The text is not a valid case file.
    pub fn parse(text: &str) -> Result<Self, CaseFileError> {
        let mut file: Self = serde_json::from_str(text)?;
        if file.schema != SCHEMA {
            return Err(CaseFileError::Schema(file.schema));
        }
        file.cases.iter_mut().for_each(Case::limit);
        if file.cases.is_empty() {
            return Err(CaseFileError::Empty);
        }
        Ok(file)
    }

    /// The JSON text of the file.
    pub fn text(&self) -> String {
        // Serializing plain data cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SendStep, Step};
    use super::*;

    #[test]
    fn round_trip_of_a_handwritten_file() {
        let text = r#"{"schema": "tcprove-case/1", "cases": [[
            {"send": {"data": ["hello\n"], "cuts": [3]}}, "receive", {"delay-ms": 5}, "half-close",
            "connect", {"switch": 0}, "reset", "close"]]}"#;
        let file = CaseFile::parse(text).unwrap();
        assert_eq!(file.cases[0].steps.len(), 8);
        assert_eq!(
            file.cases[0].steps[0],
            Step::Send(SendStep {
                data: b"hello\n"[..].into(),
                cuts: vec![3]
            })
        );
        assert_eq!(CaseFile::parse(&file.text()).unwrap(), file);
    }

    #[test]
    fn refuses() {
        for (text, why) in [
            ("{", "EOF"),
            (
                r#"{"schema": "tcprove-case/2", "cases": [[]]}"#,
                "tcprove-case/2",
            ),
            (r#"{"schema": "tcprove-case/1", "cases": []}"#, "no case"),
            (
                r#"{"schema": "tcprove-case/1", "cases": [["recieve"]]}"#,
                "recieve",
            ),
        ] {
            let error = CaseFile::parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
