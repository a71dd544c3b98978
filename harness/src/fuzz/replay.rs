//! Runs stored findings on fresh servers again to see whether the bug is still there.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::runtime::Runtime;

use super::campaign::{id, identity};
use super::case::Recorded;
use super::corpus::{self, CorpusError};
use super::finding::Rate;
use super::oracle::{Claim, Look, look, recording};
use super::symptom::{FindingKind, Symptom};
use super::target::FuzzTarget;
use super::{Case, CaseFile, Confirmed};

/// Maximum servers that are asked, unless more are demanded.
const SERVERS_MAX: u32 = 200;
/// Minimum servers that make a rate.
const RATED_MIN: u32 = 3;
/// Maximum servers that cannot be asked.
const FAILURES_MAX: u32 = 3;

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
    /// What the server replied when the case was recorded: the replies are compared, instead of looking for a bug.
    pub recorded: Option<Recorded>,
    /// On how many servers the campaign saw it; `None` for cases without a finding.
    pub seen: Option<Confirmed>,
}

/// How many servers are asked whether they show a bug before it counts as gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As many as the rate of the finding requires, and at least these.
    Enough(u32),
    /// These, whatever the rate.
    Exactly(u32),
}

/// The result of replaying a finding.
#[derive(Clone, Debug)]
pub(crate) struct ReplayOutcome {
    /// How many servers showed the bug.
    pub confirmed: Confirmed,
    /// What the last of them showed.
    pub symptom: Option<Symptom>,
    /// Why it is not known whether the bug is gone, if no server showed it.
    pub unclear: Option<String>,
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
            seen: seen(&known),
            recorded: file.recorded,
        })
    }

    /// Whether this is the bug that the campaign saw. The same cases may show another one once that is repaired.
    pub(crate) fn is_that_of(&self, symptom: &Symptom) -> bool {
        let is_named = matches!(symptom.kind, FindingKind::Crash | FindingKind::Panic);
        !is_named || self.id.is_empty() || self.id == id(&self.claim, &identity(symptom, None))
    }

    /// Runs the cases on fresh servers. Once one of them has shown the bug, only those are asked that are asked anyway.
    pub(crate) fn replay(
        &self,
        target: &FuzzTarget,
        runtime: &Runtime,
        patience: Patience,
    ) -> ReplayOutcome {
        let (least, needed) = self.servers(patience);
        let mut replayed = ReplayOutcome {
            confirmed: Confirmed::default(),
            symptom: None,
            unclear: None,
        };
        let most = needed.unwrap_or(least).clamp(least, SERVERS_MAX.max(least));
        let mut failed = 0;
        while replayed.confirmed.of
            < if replayed.confirmed.seen > 0 {
                least
            } else {
                most
            }
        {
            if target.deadline.is_over() {
                break;
            }
            match self.look(target, runtime) {
                Look::Shown(symptom) => {
                    replayed.confirmed.seen += 1;
                    replayed.symptom = Some(symptom);
                }
                Look::Nothing => {}
                Look::Impossible(why) => {
                    failed += 1;
                    replayed.unclear = Some(why);
                    if failed < FAILURES_MAX {
                        continue;
                    }
                    break;
                }
            }
            replayed.confirmed.of += 1;
        }
        self.doubt(&mut replayed, needed);
        replayed
    }

    /// What one look shows: a difference from the recording or the other server, or else the bug.
    fn look(&self, target: &FuzzTarget, runtime: &Runtime) -> Look {
        let compared = target.against.is_some();
        if let (Some(recorded), [case], false) = (&self.recorded, &self.cases[..], compared) {
            let replies = recorded.replies.to_bytes();
            return recording::look(target, runtime, case, &replies, recorded.complete);
        }
        if self.claim.kind == FindingKind::Difference && !compared {
            return Look::Impossible(
                "it takes a second server: give its command with --against".into(),
            );
        }
        let claim = match compared {
            true => FindingKind::Difference.into(),
            false => self.claim.clone(),
        };
        look(target, runtime, &claim, &self.cases)
    }

    /// How many servers are asked at least, and how many must not show the bug for it to be gone; `None` if no number is
    /// enough.
    fn servers(&self, patience: Patience) -> (u32, Option<u32>) {
        match (patience, self.seen) {
            (Patience::Exactly(times), _) => (times, Some(times)),
            (Patience::Enough(least), None) => (least, Some(least)),
            (Patience::Enough(least), Some(seen)) => {
                let rate = Rate::of(seen).filter(|_| seen.of >= RATED_MIN);
                let needed = rate.and_then(|rate| rate.servers_needed());
                (least, needed.map(|needed| needed.max(least)))
            }
        }
    }

    /// Notes why a bug that did not show itself may still be there.
    fn doubt(&self, replayed: &mut ReplayOutcome, needed: Option<u32>) {
        let asked = replayed.confirmed.of;
        if replayed.confirmed.seen > 0 || needed.is_some_and(|needed| asked >= needed) {
            replayed.unclear = None;
        } else if replayed.unclear.is_none() {
            let seen = self.seen.unwrap_or_default();
            let why = match needed {
                None => format!(
                    "the campaign saw it on {seen} fresh servers, so how often it shows is not known"
                ),
                Some(needed) => format!(
                    "the campaign saw it on {seen} servers: only {needed} that do not show it would prove that it is gone"
                ),
            };
            replayed.unclear = Some(format!("{asked} servers did not show it, but {why}"));
        }
    }
}

/// On how many servers the campaign saw a finding; `None` if the file does not say.
fn seen(known: &Value) -> Option<Confirmed> {
    let number = |name: &str| u32::try_from(known.get(name)?.as_u64()?).ok();
    let (seen, of) = (number("seen")?, number("of")?);
    Some(Confirmed { seen, of })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(seen: Option<Confirmed>) -> SavedFinding {
        SavedFinding {
            id: String::new(),
            claim: FindingKind::Crash.into(),
            title: String::new(),
            cases: Vec::new(),
            recorded: None,
            seen,
        }
    }

    #[test]
    fn the_rate_tells_how_many_servers_are_asked() {
        let enough = Patience::Enough(3);
        let servers = |seen, of| saved(Some(Confirmed { seen, of })).servers(enough);
        assert_eq!(servers(8, 8), (3, Some(5)));
        assert_eq!(servers(6, 8), (3, Some(11)));
        assert_eq!(servers(0, 5), (3, None));
        assert_eq!(servers(1, 1), (3, None));
        assert_eq!(saved(None).servers(enough), (3, Some(3)));
        let few = Some(Confirmed { seen: 1, of: 8 });
        assert_eq!(saved(few).servers(Patience::Exactly(2)), (2, Some(2)));
    }

    #[test]
    fn what_showed_nothing_often_enough_is_gone_and_else_unclear() {
        let finding = saved(Some(Confirmed { seen: 6, of: 8 }));
        let outcome = |seen, of| {
            let mut replayed = ReplayOutcome {
                confirmed: Confirmed { seen, of },
                symptom: None,
                unclear: None,
            };
            finding.doubt(&mut replayed, Some(11));
            replayed.unclear
        };
        assert_eq!(outcome(0, 11), None);
        assert_eq!(outcome(1, 3), None);
        assert!(outcome(0, 10).unwrap().contains("6/8"));
    }
}
