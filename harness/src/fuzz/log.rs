//! The case log: every case of an epoch, written down before its first byte is sent.
//!
//! One line of JSON a case, one `write` each: what is with the kernel survives the end of tcprove, also by
//! SIGKILL, and the next campaign looks at it first. (A mapped file would survive no more and save about a
//! microsecond.)

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use super::Case;

/// An epoch with a longer log is over.
pub const LOG_BYTES_MAX: u64 = 64 << 20;

/// The log of one lane.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    bytes: u64,
    line: Vec<u8>,
}

impl Log {
    /// An empty log.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn begin(path: PathBuf) -> io::Result<Self> {
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

    /// Another epoch begins.
    ///
    /// # Errors
    /// The file cannot be cut.
    pub fn restart(&mut self) -> io::Result<()> {
        *self = Self::begin(std::mem::take(&mut self.path))?;
        Ok(())
    }

    /// Writes a case down.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(&mut self, case: &Case) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, case)?;
        self.line.push(b'\n');
        self.file.write_all(&self.line)?;
        self.bytes += self.line.len() as u64;
        Ok(())
    }

    /// Whether the epoch has become too long to be kept.
    pub fn is_full(&self) -> bool {
        self.bytes > LOG_BYTES_MAX
    }

    /// All is well: nothing of it is needed any more.
    pub fn done(self) {
        // What stays behind is looked at once more, and does no harm.
        let _ = fs::remove_file(&self.path);
    }
}

/// The epochs that a campaign left behind when it was ended from outside. The last line may be cut off.
pub fn left_behind(folder: &Path) -> Vec<Vec<Case>> {
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

/// Everything that was left behind has been looked at.
pub fn clear(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().extension().is_some_and(|end| end == "jsonl") {
            // What stays behind is looked at once more, and does no harm.
            let _ = fs::remove_file(entry.path());
        }
    }
    // Fails if somebody else keeps files there.
    let _ = fs::remove_dir(folder);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_behind_is_read_again() {
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
