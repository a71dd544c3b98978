//! A place that a report is written to: stdout, a file, or a device.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::print::{note, stdout};
use crate::report::{Report, RunError};

/// Renders a report in one format; `None` where the format has nothing to show of it.
pub(super) type Render = fn(&Report) -> Option<String>;

/// One place, and what is written to it.
pub(super) struct Place {
    /// The flag that named it.
    pub flag: &'static str,
    path: PathBuf,
    render: Render,
}

impl Place {
    /// The place that `flag` names: `-` is stdout.
    pub(crate) fn new(flag: &'static str, path: &Path, render: Render) -> Self {
        Self {
            flag,
            path: path.to_owned(),
            render,
        }
    }

    /// Whether it is stdout.
    pub(crate) fn is_stdout(&self) -> bool {
        self.path == Path::new("-")
    }

    /// Fails where it cannot be written to. Nothing that is there is changed.
    pub(crate) fn check(&self) -> Result<(), RunError> {
        if self.is_stdout() || is_device(&self.path) {
            return Ok(());
        }
        let checked = writable(&self.path);
        checked.map_err(|error| {
            RunError::usage(format!(
                "{} {} cannot be written: {error}",
                self.flag,
                self.path.display()
            ))
        })
    }

    /// Writes the report; false if it could not be written, which has then been reported.
    pub(crate) fn write(&self, report: &Report) -> bool {
        let Some(text) = (self.render)(report) else {
            return true;
        };
        if self.is_stdout() {
            return stdout(&text);
        }
        let written = if is_device(&self.path) {
            fs::write(&self.path, &text)
        } else {
            replace(&self.path, text.as_bytes())
        };
        let Err(error) = written else {
            return true;
        };
        let name = self.path.display().to_string();
        let known = report.error.as_ref();
        if !known.is_some_and(|known| known.message.contains(&name)) {
            note(&format!(
                "error: {} {name} cannot be written: {error}",
                self.flag
            ));
        }
        false
    }
}

/// Pipes and devices are written to as they are: there is nothing to rename, and opening one more
/// than once would end it for its reader.
fn is_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir())
}

fn writable(path: &Path) -> io::Result<()> {
    match File::options().write(true).open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    tempfile::tempfile_in(folder(path)).map(drop)
}

/// Writes next to the file, then renames: whoever reads it sees the old report or the new one.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A link stays a link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let present = fs::metadata(&path).ok().map(|meta| meta.permissions());
    let usual = fs::Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new()
        .prefix(".tcprove-")
        .permissions(usual)
        .tempfile_in(folder(&path))?;
    file.write_all(bytes)?;
    if let Some(present) = present {
        file.as_file().set_permissions(present)?;
    }
    file.persist(&path)?;
    Ok(())
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        replace(&path, b"first").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let link = folder.path().join("link.json");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        replace(&link, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        let names = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 2, "nothing is left beside the report and its link");
    }

    #[test]
    fn looking_whether_a_file_can_be_written_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        writable(&path).unwrap();
        assert!(!path.exists());
        fs::write(&path, "kept").unwrap();
        writable(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"kept");
        assert!(writable(&folder.path().join("absent/report.json")).is_err());
        assert!(writable(folder.path()).is_err());
    }
}
