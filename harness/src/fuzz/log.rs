//! The case log: records every case of an epoch before its first byte is sent.
//!
//! Each case is one line of JSON, written with one `write`. The log survives even if tcprove is killed, and the next
//! campaign runs its cases first. (A memory-mapped file would survive no more often and save about a microsecond.)

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use super::Case;

/// Maximum bytes of a log; an epoch that exceeds it ends.
pub(crate) const LOG_BYTES_MAX: u64 = 64 << 20;

/// The log of one lane.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    bytes: u64,
    line: Vec<u8>,
}

impl Log {
    /// Creates an empty log.
    ///
    /// # Errors
    /// The file cannot be created.
    pub(crate) fn begin(path: PathBuf) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        let file = options
            .create(true)
            .write(true)
            .truncate(true)
            .open(&path)?;
        Ok(Self {
            path,
            file,
            bytes: 0,
            line: Vec::new(),
        })
    }

    /// Empties the log for the next epoch.
    ///
    /// # Errors
    /// The file cannot be truncated.
    pub(crate) fn restart(&mut self) -> io::Result<()> {
        *self = Self::begin(std::mem::take(&mut self.path))?;
        Ok(())
    }

    /// Appends a case.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn append(&mut self, case: &Case) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, case)?;
        self.line.push(b'\n');
        self.file.write_all(&self.line)?;
        self.bytes += self.line.len() as u64;
        Ok(())
    }

    /// Whether the log has reached its maximum size.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes > LOG_BYTES_MAX
    }

    /// Removes the log of a lane that has finished.
    pub(crate) fn done(self) {
        // If this fails, the next campaign runs the cases once more.
        let _ = fs::remove_file(&self.path);
    }
}

/// The epochs of an earlier campaign that was killed. The last line of a log may be incomplete.
pub(crate) fn left_behind(folder: &Path) -> Vec<Vec<Case>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let epochs = paths.iter().filter_map(|path| {
        let lines = BufReader::new(File::open(path).ok()?).split(b'\n');
        let cases = lines.map_while(|line| serde_json::from_slice::<Case>(&line.ok()?).ok());
        let mut cases: Vec<Case> = cases.collect();
        cases.iter_mut().for_each(Case::limit);
        Some(cases).filter(|cases| !cases.is_empty())
    });
    epochs.collect()
}

/// Removes all logs in the folder.
pub(crate) fn clear(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().extension().is_some_and(|end| end == "jsonl") {
            // If this fails, the next campaign runs the cases once more.
            let _ = fs::remove_file(entry.path());
        }
    }
    // Fails if the folder contains other files.
    let _ = fs::remove_dir(folder);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_epoch_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::begin(folder.path().join("lane-0.jsonl")).unwrap();
        log.append(&Case::sending(&b"old"[..])).unwrap();
        log.restart().unwrap();
        let cases = vec![Case::sending(&b"a\n\xff"[..]), Case::sending(&b"b"[..])];
        for case in &cases {
            log.append(case).unwrap();
        }
        log.file
            .write_all(b"[{\"send\":{\"data\":[\"cut o")
            .unwrap();
        assert_eq!(left_behind(folder.path()), [cases]);
        log.done();
        assert!(left_behind(folder.path()).is_empty());
    }
}
