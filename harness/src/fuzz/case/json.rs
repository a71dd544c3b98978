//! Cases in files: versioned JSON that a person can read and write.

use serde::{Deserialize, Serialize};

use super::Case;

/// The version of the format.
pub const SCHEMA: &str = "tcprove-case/1";

/// Cases as a file holds them: they are run one after the other on one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseFile {
    /// [`SCHEMA`].
    pub schema: String,
    /// One after the other; most often there is one.
    pub cases: Vec<Case>,
    /// What they do to a server that has the bug, if they are of a finding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<serde_json::Value>,
}

/// Why a text is no file of cases.
#[derive(Debug, thiserror::Error)]
pub enum CaseFileError {
    /// It is no JSON, or not of this form.
    #[error("{0}")]
    Form(#[from] serde_json::Error),
    /// It is of another version.
    #[error("its schema is `{0}`; this version reads `{SCHEMA}`")]
    Schema(String),
    /// There is nothing in it.
    #[error("there is no case in it")]
    Empty,
}

impl CaseFile {
    /// Cases without anything that is known of them.
    pub fn of(cases: Vec<Case>) -> Self {
        Self {
            schema: SCHEMA.into(),
            cases,
            finding: None,
        }
    }

    /// Reads a file. What is beyond the limits of a case is cut off.
    ///
    /// # Errors
    /// It is no such file.
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

    /// The text of the file.
    pub fn text(&self) -> String {
        // Plain data: it cannot fail to be written.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SendStep, Step};
    use super::*;

    #[test]
    fn both_ways_and_by_hand() {
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
