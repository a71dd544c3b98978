//! The corpora of several campaigns as one: of the cases, as few as reach everything that all of them reach.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::MergeError;
use crate::fuzz::{KeptCase, fewest, read_case_file};

/// Names of cases that are told.
const NAMED: usize = 5;

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MergedCorpus {
    /// Cases in the new folder.
    pub cases: usize,
    /// Distinct cases in all folders.
    pub of: usize,
    /// Those of the new folder of which no report says what they reach.
    pub unknown: usize,
}

/// Writes the cases of these folders to a new one, without those that are not needed to reach what all reach. `kept` says what
/// each case reached, by the name of its file. A case that it does not name is written too.
///
/// # Errors
/// A folder cannot be read or written, a case is none, or something that was reached is reached by no case of the folders.
pub(crate) fn write_corpus(
    kept: &BTreeMap<String, KeptCase>,
    from: &[PathBuf],
    to: &Path,
) -> Result<MergedCorpus, MergeError> {
    if kept.is_empty() {
        return Err(MergeError::Apart(
            "--corpus: no report says what a case reached, so that none can be left out: the campaigns kept no cases, or ran with --feedback none".into(),
        ));
    }
    is_new(to)?;
    let mut there: BTreeMap<String, PathBuf> = BTreeMap::new();
    for folder in from {
        there.extend(case_files(folder)?);
    }
    let known: BTreeMap<String, KeptCase> = kept
        .iter()
        .filter(|(name, _)| there.contains_key(*name))
        .map(|(name, case)| (name.clone(), case.clone()))
        .collect();
    nothing_is_lost(kept, &known)?;
    let few = fewest(&known);
    let unknown = there.keys().filter(|name| !kept.contains_key(*name));
    let unknown: BTreeSet<&str> = unknown.map(String::as_str).collect();
    let failed = |error| MergeError::Write {
        path: to.to_owned(),
        error,
    };
    fs::create_dir_all(to).map_err(failed)?;
    for name in few.union(&unknown) {
        let path = &there[*name];
        read_case_file(path).map_err(|error| MergeError::Apart(error.to_string()))?;
        fs::copy(path, to.join(name)).map_err(failed)?;
    }
    Ok(MergedCorpus {
        cases: few.len() + unknown.len(),
        of: there.len(),
        unknown: unknown.len(),
    })
}

/// The folder does not exist, or is empty: what is in it might be mixed with the new corpus.
fn is_new(folder: &Path) -> Result<(), MergeError> {
    match fs::read_dir(folder).map(|mut entries| entries.next()) {
        Ok(Some(_)) => Err(MergeError::Apart(format!(
            "--corpus {}: it has files already: give a new folder",
            folder.display()
        ))),
        _ => Ok(()),
    }
}

/// The case files of a folder, by name.
fn case_files(folder: &Path) -> Result<BTreeMap<String, PathBuf>, MergeError> {
    let failed = |error| MergeError::Read {
        path: folder.to_owned(),
        error,
    };
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy());
        if let Some(name) = name.filter(|name| !name.starts_with('.') && name.ends_with(".json")) {
            files.insert(name.into_owned(), path.clone());
        }
    }
    Ok(files)
}

/// What was reached is reached by the cases that are there.
fn nothing_is_lost(
    kept: &BTreeMap<String, KeptCase>,
    known: &BTreeMap<String, KeptCase>,
) -> Result<(), MergeError> {
    let there: BTreeSet<_> = known.values().flat_map(KeptCase::reached).collect();
    let lost = |case: &KeptCase| case.reached().filter(|one| !there.contains(one)).count();
    let missing = kept.iter().map(|(name, case)| (name, lost(case)));
    let missing: Vec<_> = missing.filter(|(_, lost)| *lost > 0).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let lost: usize = missing.iter().map(|(_, lost)| lost).sum();
    let names: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Err(MergeError::Apart(format!(
        "no case in the folders reaches {lost} of what these campaigns reached; missing: {}{more}\nnext: give the corpora of all campaigns with --corpus-from",
        names[..names.len().min(NAMED)].join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::{Case, CaseFile};

    fn kept(places: &[u32]) -> KeptCase {
        KeptCase {
            bytes: 1,
            places: [("basic blocks".to_owned(), places.iter().copied().collect())].into(),
            replies: BTreeSet::new(),
        }
    }

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let text = CaseFile::of(vec![Case::sending(name.as_bytes().to_vec())]).text();
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn names(folder: &Path) -> BTreeSet<String> {
        case_files(folder).unwrap().into_keys().collect()
    }

    #[test]
    fn cases_that_others_make_superfluous_are_left_out_and_unknown_ones_are_not() {
        let (one, two) = (
            folder(&["a.json", "b.json"]),
            folder(&["b.json", "c.json", "x.json"]),
        );
        fs::write(one.path().join(".half.json"), "{").unwrap();
        let all = BTreeMap::from([
            ("a.json".to_owned(), kept(&[1, 2])),
            ("b.json".to_owned(), kept(&[2])),
            ("c.json".to_owned(), kept(&[3])),
            // A case that is gone, and of which nothing is missing.
            ("d.json".to_owned(), kept(&[1, 3])),
        ]);
        let out = tempfile::tempdir().unwrap();
        let to = out.path().join("merged");
        let from = [one.path().to_owned(), two.path().to_owned()];
        let merged = write_corpus(&all, &from, &to).unwrap();
        let expected = MergedCorpus {
            cases: 3,
            of: 4,
            unknown: 1,
        };
        assert_eq!(merged, expected);
        assert_eq!(
            names(&to),
            ["a.json", "c.json", "x.json"].map(str::to_owned).into()
        );
        let again = write_corpus(&all, &from, &to).unwrap_err().to_string();
        assert!(again.contains("it has files already"), "{again}");
    }

    #[test]
    fn what_would_be_lost_is_told() {
        let one = folder(&["a.json"]);
        let out = tempfile::tempdir().unwrap();
        let all = BTreeMap::from([
            ("a.json".to_owned(), kept(&[1])),
            ("b.json".to_owned(), kept(&[1, 2, 3])),
        ]);
        let told = |kept: &BTreeMap<String, KeptCase>, from: &Path| {
            let to = out.path().join("merged");
            write_corpus(kept, &[from.to_owned()], &to)
                .unwrap_err()
                .to_string()
        };
        let lost = told(&all, one.path());
        assert!(
            lost.contains("reaches 2 of") && lost.contains("missing: b.json"),
            "{lost}"
        );
        assert!(told(&all, Path::new("/nowhere")).contains("/nowhere cannot be read"));
        assert!(told(&BTreeMap::new(), one.path()).contains("--feedback none"));
        fs::write(one.path().join("a.json"), "{}").unwrap();
        let all = BTreeMap::from([("a.json".to_owned(), kept(&[1]))]);
        assert!(told(&all, one.path()).contains("a.json"));
        assert!(!out.path().join("merged/a.json").exists());
    }
}
