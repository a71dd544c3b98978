//! Runs stored findings on fresh servers again to see whether the bug is still there.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::runtime::Runtime;

use super::corpus::{self, CorpusError};
use super::oracle::{Claim, Rigour, shows};
use super::symptom::{FindingKind, Symptom};
use super::target::FuzzTarget;
use super::{Case, CaseFile, Confirmed};

/// A finding, or other cases, as stored in a case file.
#[derive(Clone, Debug)]
pub(crate) struct SavedFinding {
    /// The id of the finding; empty for other cases.
    pub id: String,
    /// The bug to look for; for cases without a finding this is a crash, panic or hang.
    pub claim: Claim,
    /// What the campaign saw.
    pub title: String,
    /// The cases, in the order in which they run on one server.
    pub cases: Vec<Case>,
}

/// The result of replaying a finding.
#[derive(Clone, Debug)]
pub(crate) struct ReplayOutcome {
    /// How many servers showed the bug.
    pub confirmed: Confirmed,
    /// What the last of them showed.
    pub symptom: Option<Symptom>,
}

/// The file itself, or every JSON file below a folder, in order.
///
/// # Errors
/// A folder cannot be read.
pub(crate) fn files(place: &Path) -> std::io::Result<Vec<PathBuf>> {
    /// Maximum depth of folders; `findings/ID/case.json` is three deep.
    const DEPTH_MAX: usize = 4;
    if !place.is_dir() {
        // If the file is missing, reading it reports that.
        return Ok(vec![place.to_owned()]);
    }
    let mut found = Vec::new();
    let mut folders = vec![(place.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let hidden = path
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if path.is_dir() && depth < DEPTH_MAX && !hidden {
                folders.push((path, depth + 1));
            } else if path.extension().is_some_and(|end| end == "json") && !hidden {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

impl SavedFinding {
    /// Reads one file.
    ///
    /// # Errors
    /// The file cannot be read, or is not a valid case file.
    pub(crate) fn read(path: &Path) -> Result<Self, CorpusError> {
        let file: CaseFile = corpus::read_file(path)?;
        let known = file.finding.unwrap_or_default();
        let text = |name: &str| {
            known
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let kind = known
            .get("kind")
            .and_then(|kind| serde_json::from_value::<FindingKind>(kind.clone()).ok());
        let hex = known.pointer("/evidence/reply_hex").and_then(Value::as_str);
        Ok(Self {
            id: text("id"),
            claim: Claim {
                kind: kind.unwrap_or(FindingKind::Crash),
                wrong_reply: hex.and_then(super::case::unhex),
            },
            title: text("title"),
            cases: file.cases,
        })
    }

    /// Runs the cases on `times` fresh servers.
    pub(crate) fn replay(
        &self,
        target: &FuzzTarget,
        runtime: &Runtime,
        times: u32,
    ) -> ReplayOutcome {
        let mut replayed = ReplayOutcome {
            confirmed: Confirmed::default(),
            symptom: None,
        };
        for _ in 0..times {
            replayed.confirmed.of += 1;
            if let Some(symptom) = shows(target, runtime, &self.claim, &self.cases, Rigour::Full) {
                replayed.confirmed.seen += 1;
                replayed.symptom = Some(symptom);
            }
        }
        replayed
    }
}
