//! Findings, put to fresh servers again: is the bug still there?

use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::runtime::Runtime;

use super::corpus::{self, CorpusError};
use super::oracle::{Claim, Rigour, shows};
use super::symptom::{FindingKind, Symptom};
use super::target::FuzzTarget;
use super::{Case, CaseFile, Confirmed};

/// A finding as its file holds it.
#[derive(Clone, Debug)]
pub struct SavedFinding {
    /// Its id; empty for cases that are no finding's.
    pub id: String,
    /// What is to be seen; a case that is no finding's may crash, panic or hang the server.
    pub claim: Claim,
    /// What was seen then.
    pub title: String,
    /// The cases, one after the other on one server.
    pub cases: Vec<Case>,
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct ReplayOutcome {
    /// How often it was seen.
    pub confirmed: Confirmed,
    /// What was seen.
    pub symptom: Option<Symptom>,
}

/// The files at this place: itself, or every `case.json` and other JSON below a folder, in order.
///
/// # Errors
/// The folder cannot be read.
pub fn files(place: &Path) -> std::io::Result<Vec<PathBuf>> {
    /// `findings/ID/case.json` is three deep.
    const DEPTH_MAX: usize = 4;
    if !place.is_dir() {
        // That it is not there is told when it is read.
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
    /// It cannot be read, or holds no cases.
    pub fn read(path: &Path) -> Result<Self, CorpusError> {
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

    /// Puts it to so many fresh servers.
    pub fn replay(&self, target: &FuzzTarget, runtime: &Runtime, times: u32) -> ReplayOutcome {
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
