//! The corpus on disk: a folder of case files that persists between campaigns.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::case::{Case, CaseFile, CaseFileError};
use crate::data::hash::fnv1a;

/// Maximum files to read from a folder, in the order of their names.
const CASES_MAX: usize = 4096;
/// Maximum bytes of a case file.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Why a corpus cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// A file or the folder cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// A file is not a valid case file.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: CaseFileError,
    },
}

/// Reads every `*.json` file of a folder, in the order of their names. A missing folder is an empty corpus.
///
/// # Errors
/// A file cannot be read, or is not a valid case file.
pub(crate) fn read(folder: &Path) -> Result<Vec<Case>, CorpusError> {
    let trouble = |path: &Path, error| CorpusError::Io {
        path: path.to_owned(),
        error,
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(trouble(folder, error)),
    };
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    paths.sort();
    let mut cases = Vec::new();
    for path in paths.iter().take(CASES_MAX) {
        cases.extend(read_file(path)?.cases);
    }
    Ok(cases)
}

/// Reads one case file.
///
/// # Errors
/// The file cannot be read, or is not a valid case file.
pub(crate) fn read_file(path: &Path) -> Result<CaseFile, CorpusError> {
    let trouble = |error| CorpusError::Io {
        path: path.to_owned(),
        error,
    };
    let bytes = fs::metadata(path).map_err(trouble)?.len();
    if bytes > FILE_BYTES_MAX {
        let what = format!("it has {bytes} bytes; a case file has at most {FILE_BYTES_MAX}");
        return Err(trouble(io::Error::new(io::ErrorKind::InvalidData, what)));
    }
    let text = fs::read_to_string(path).map_err(trouble)?;
    CaseFile::parse(&text).map_err(|error| CorpusError::File {
        path: path.to_owned(),
        error,
    })
}

/// Adds a case atomically, under a name derived from its content.
///
/// # Errors
/// The folder cannot be written.
pub(crate) fn add(folder: &Path, case: &Case) -> Result<(), CorpusError> {
    let trouble = |error| CorpusError::Io {
        path: folder.to_owned(),
        error,
    };
    let (name, text) = named(case);
    let place = folder.join(name);
    if place.exists() {
        return Ok(());
    }
    fs::create_dir_all(folder).map_err(trouble)?;
    let made = tempfile::Builder::new()
        .prefix(".")
        .tempfile_in(folder)
        .map_err(trouble)?;
    fs::write(made.path(), text).map_err(trouble)?;
    made.persist(&place).map_err(|error| trouble(error.error))?;
    Ok(())
}

/// The name of a case's file, which is derived from its content, and the content.
pub(crate) fn named(case: &Case) -> (String, String) {
    let text = CaseFile::of(vec![case.clone()]).text();
    (format!("{:016x}.json", fnv1a(text.as_bytes())), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_stored_once_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("corpus");
        assert!(read(&place).unwrap().is_empty());
        let cases = [Case::sending(&b"a\xff"[..]), Case::sending(&b"b"[..])];
        for case in cases.iter().chain(&cases) {
            add(&place, case).unwrap();
        }
        let mut read_again = read(&place).unwrap();
        read_again.sort_by_key(Case::bytes);
        assert_eq!(read_again, [cases[1].clone(), cases[0].clone()]);
    }

    #[test]
    fn an_invalid_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.json"), "{}").unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("x.json") && error.contains("schema"),
            "{error}"
        );
    }
}
