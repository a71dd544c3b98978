//! The recent runs of this folder, in `.tcprove/runs`: what failed, and the command line, so that it can be repeated.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::check::Verdict;
use crate::report::{Body, CheckReport, Report, json};

/// The folder, which ignores itself in git.
const FOLDER: &str = ".tcprove";
/// Number of runs that are kept.
const KEPT: usize = 10;
/// A variable that turns this off when it is `0`.
const VARIABLE: &str = "TCPROVE_RECENT";

/// One run, beside its report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RecentRun {
    /// The arguments, without the program.
    pub args: Vec<String>,
    /// The seed of everything random.
    pub seed: u64,
    /// The target's name.
    pub target: String,
    /// The verdict, as in the JSON.
    pub verdict: String,
    /// The ids of the checks that failed, warned or reached no verdict.
    pub checks: Vec<String>,
    /// The ids of the findings, and the folders with their cases.
    pub findings: Vec<(String, PathBuf)>,
}

/// The command line that is repeated, if this process repeats one.
static REPEATED: OnceLock<Vec<String>> = OnceLock::new();

/// Makes the runs of this process count as runs of the command line that they repeat.
pub(super) fn repeats(run: &RecentRun) {
    let _ = REPEATED.set(run.args.clone());
}

/// Stores this run if it was one on a server of the user's: a failure to do so is not worth a word.
pub(super) fn keep(report: &Report) {
    let off = std::env::var(VARIABLE).is_ok_and(|value| value == "0");
    let is_own = report.header.target.as_ref();
    // A run that could not begin says nothing about what failed before.
    let has_begun = report.error.is_none();
    if !off && has_begun && is_own.is_some_and(|target| !target.embedded) {
        let own = || std::env::args().skip(1).collect();
        let args = REPEATED.get().cloned().unwrap_or_else(own);
        let _ = store(Path::new(FOLDER), report, args);
    }
}

/// The newest run, or the newest with this check or finding.
///
/// # Errors
/// There is none, or it cannot be read: a sentence for the user.
pub(super) fn newest(id: Option<&str>) -> Result<RecentRun, String> {
    let all = all(Path::new(FOLDER)).map_err(|error| format!("{FOLDER}: {error}"))?;
    let is_wanted = |run: &RecentRun| match id {
        None => true,
        Some(id) => {
            run.checks.iter().any(|check| check == id)
                || run.findings.iter().any(|(finding, _)| finding == id)
        }
    };
    all.into_iter().rev().find(is_wanted).ok_or_else(|| match id {
        None => format!(
            "no run was made in this folder: `check`, `run` and `fuzz` keep the last {KEPT} in {FOLDER}"
        ),
        Some(id) => format!("`{id}` has not failed in any of the last {KEPT} runs in this folder"),
    })
}

/// How long each check took in the newest battery of this folder, in milliseconds; empty if there is none.
pub(super) fn durations() -> Vec<(String, f64)> {
    durations_in(Path::new(FOLDER)).unwrap_or_default()
}

/// What is read of a report of a battery.
#[derive(Deserialize)]
struct Timed {
    outcomes: Vec<TimedOutcome>,
}

#[derive(Deserialize)]
struct TimedOutcome {
    id: String,
    duration_ms: f64,
}

fn durations_in(folder: &Path) -> io::Result<Vec<(String, f64)>> {
    for run in names(&folder.join("runs"))?.iter().rev() {
        let report = fs::read(run.with_extension("json"))?;
        // A campaign has no outcomes, and a run of a few checks tells little.
        let Ok(Timed { outcomes }) = serde_json::from_slice(&report) else {
            continue;
        };
        if outcomes.len() > 1 {
            let took = outcomes.into_iter();
            return Ok(took.map(|one| (one.id, one.duration_ms)).collect());
        }
    }
    Ok(Vec::new())
}

fn store(folder: &Path, report: &Report, args: Vec<String>) -> io::Result<()> {
    let Some(run) = RecentRun::of(report, args) else {
        return Ok(());
    };
    let runs = folder.join("runs");
    fs::create_dir_all(&runs)?;
    fs::write(folder.join(".gitignore"), "*\n")?;
    let id = &report.header.run_id;
    fs::write(runs.join(format!("{id}.json")), json::render(report))?;
    fs::write(runs.join(format!("{id}.run")), serde_json::to_string(&run)?)?;
    let names = names(&runs)?;
    for old in &names[..names.len().saturating_sub(KEPT)] {
        fs::remove_file(old)?;
        let _ = fs::remove_file(old.with_extension("json"));
    }
    Ok(())
}

/// The files of all runs, the oldest first: their names begin with the time.
fn names(runs: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(runs)?.map(|entry| Ok(entry?.path()));
    let mut paths = paths.collect::<io::Result<Vec<PathBuf>>>()?;
    paths.retain(|path| path.extension() == Some(OsStr::new("run")));
    paths.sort();
    Ok(paths)
}

fn all(folder: &Path) -> io::Result<Vec<RecentRun>> {
    let paths = match names(&folder.join("runs")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        paths => paths?,
    };
    let read = |path: &PathBuf| serde_json::from_slice(&fs::read(path)?).map_err(io::Error::other);
    paths.iter().map(read).collect()
}

impl RecentRun {
    /// `None` if nothing of it can be repeated by id.
    fn of(report: &Report, args: Vec<String>) -> Option<Self> {
        let (checked, fuzz) = match &report.body {
            Body::Check(checked) => (Some(checked), None),
            Body::Run(whole) => (Some(&whole.checked), whole.campaign()),
            Body::Fuzz(fuzz) => (None, Some(&**fuzz)),
            _ => return None,
        };
        let findings = fuzz.map_or(&[][..], |fuzz| &fuzz.result.findings);
        let folder = |finding: &crate::fuzz::Finding| {
            Some((finding.id.clone(), finding.reproducer.clone()?))
        };
        Some(Self {
            args,
            seed: report.header.seed,
            target: report.header.target.as_ref()?.name.clone(),
            verdict: report.verdict.word().to_owned(),
            checks: checked.map(not_passed).unwrap_or_default(),
            findings: findings
                .iter()
                .filter(|finding| finding.waived.is_none())
                .filter_map(folder)
                .collect(),
        })
    }
}

fn not_passed(checked: &CheckReport) -> Vec<String> {
    let outcomes = checked.outcomes.iter();
    let open = outcomes.filter(|outcome| {
        let is_open = matches!(
            outcome.outcome,
            Verdict::Fail | Verdict::Warn | Verdict::Inconclusive
        );
        is_open && outcome.waived.is_none()
    });
    open.map(|outcome| outcome.id.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    /// The newest runs stay, each with its report, and git sees none of it.
    #[test]
    fn a_bounded_number_of_runs_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut report = sample::checked();
        for number in 10..25 {
            report.header.run_id = format!("20270101T0000{number}Z-0000");
            store(folder.path(), &report, vec!["check".into()]).unwrap();
        }
        let runs = folder.path().join("runs");
        assert_eq!(fs::read_dir(&runs).unwrap().count(), 2 * KEPT);
        assert!(runs.join("20270101T000024Z-0000.json").exists());
        assert!(!runs.join("20270101T000014Z-0000.json").exists());
        let all = all(folder.path()).unwrap();
        assert_eq!(all.len(), KEPT);
        assert!(!all[0].checks.is_empty(), "{all:?}");
        let took = durations_in(folder.path()).unwrap();
        assert_eq!(took[0], ("split-bytewise".to_owned(), 1_250.0), "{took:?}");
        let ignored = fs::read_to_string(folder.path().join(".gitignore")).unwrap();
        assert_eq!(ignored, "*\n");
    }
}
