//! The corpus of a campaign on disk: a folder of case files, kept between runs.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::case::{Case, CaseFile, CaseFileError};
use crate::data::hash::fnv1a;

/// A corpus that grows beyond this keeps its oldest cases.
const CASES_MAX: usize = 4096;
/// A file of cases is not longer than this.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Why a corpus cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// A file or the folder cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file holds no cases.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: CaseFileError,
    },
}

/// Reads every `*.json` of a folder, in the order of their names. A folder that is not there is empty.
///
/// # Errors
/// A file cannot be read, or is no file of cases.
pub fn read(folder: &Path) -> Result<Vec<Case>, CorpusError> {
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

/// Reads one file of cases.
///
/// # Errors
/// It cannot be read, or is no such file.
pub fn read_file(path: &Path) -> Result<CaseFile, CorpusError> {
    let trouble = |error| CorpusError::Io {
        path: path.to_owned(),
        error,
    };
    let bytes = fs::metadata(path).map_err(trouble)?.len();
    if bytes > FILE_BYTES_MAX {
        let what = format!("it has {bytes} bytes; a file of cases has at most {FILE_BYTES_MAX}");
        return Err(trouble(io::Error::new(io::ErrorKind::InvalidData, what)));
    }
    let text = fs::read_to_string(path).map_err(trouble)?;
    CaseFile::parse(&text).map_err(|error| CorpusError::File {
        path: path.to_owned(),
        error,
    })
}

/// Adds a case under a name made of its content, whole or not at all. A corpus that is full stays as it is.
///
/// # Errors
/// The folder cannot be written.
pub fn add(folder: &Path, case: &Case) -> Result<(), CorpusError> {
    let trouble = |error| CorpusError::Io {
        path: folder.to_owned(),
        error,
    };
    let text = CaseFile::of(vec![case.clone()]).text();
    let place = folder.join(format!("{:016x}.json", fnv1a(text.as_bytes())));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_once_and_read_again() {
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
    fn a_file_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.json"), "{}").unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("x.json") && error.contains("schema"),
            "{error}"
        );
    }
}
