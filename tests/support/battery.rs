//! Whole batteries, judged by their JSON report.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::skip;

/// The `tcprove` binary.
pub fn tcprove() -> Command {
    super::share();
    Command::new(assert_cmd::cargo::cargo_bin!("tcprove"))
}

/// A file below `tests/data`.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/data")
        .join(name)
}

/// Whether `program` is on the PATH; if not, the test is skipped.
#[track_caller]
pub fn have(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !found {
        skip::needs(program);
    }
    found
}

/// A run of the battery and its JSON report.
pub struct Checked {
    pub output: Output,
    pub report: Value,
}

/// Runs `tcprove check` with these arguments, and reads the JSON that it writes on every exit.
pub fn check<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Checked {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let json = folder.path().join("report.json");
    let mut command = tcprove();
    command
        .arg("check")
        .arg("--json")
        .arg(&json)
        .arg("--no-progress")
        .args(arguments);
    let output = command.output().expect("tcprove runs");
    let text = std::fs::read_to_string(&json).expect("the report is written on every exit");
    let report = serde_json::from_str(&text).expect("the report is JSON");
    Checked { output, report }
}

impl Checked {
    /// The exit code.
    pub fn code(&self) -> i32 {
        self.output.status.code().expect("tcprove exits by itself")
    }

    /// The outcome of one check.
    pub fn outcome(&self, id: &str) -> &Value {
        let outcomes = self.report["outcomes"].as_array().expect("outcomes");
        outcomes
            .iter()
            .find(|outcome| outcome["id"] == id)
            .unwrap_or_else(|| panic!("{id} did not run"))
    }

    /// Ids of the checks with this outcome.
    pub fn ids(&self, outcome: &str) -> Vec<&str> {
        let outcomes = self.report["outcomes"].as_array().expect("outcomes");
        outcomes
            .iter()
            .filter(|entry| entry["outcome"] == outcome)
            .filter_map(|entry| entry["id"].as_str())
            .collect()
    }

    /// Asserts that one check fell short in this way, and how loudly.
    pub fn assert(&self, id: &str, outcome: &str, kind: &str) {
        let entry = self.outcome(id);
        assert_eq!(
            (&entry["outcome"], &entry["kind"]),
            (&outcome.into(), &kind.into()),
            "{id}: {entry:#}"
        );
    }

    /// What a reader of a failed test wants to see.
    pub fn shown(&self) -> String {
        format!(
            "{}{}",
            String::from_utf8_lossy(&self.output.stdout),
            String::from_utf8_lossy(&self.output.stderr)
        )
    }
}
