//! The destination of a report: stdout, a file, or a device.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::print::{note, stdout};
use crate::report::{Report, RunError};

/// Renders a report in one format.
pub(super) type Render = fn(&Report) -> String;

/// The destination of one report, and its format.
pub(super) struct Place {
    /// The flag that sets the path.
    pub(crate) flag: &'static str,
    path: PathBuf,
    render: Render,
}

impl Place {
    /// The path that was given with `flag`; `-` is stdout.
    pub(crate) fn new(flag: &'static str, path: &Path, render: Render) -> Self {
        Self {
            flag,
            path: path.to_owned(),
            render,
        }
    }

    pub(crate) fn is_stdout(&self) -> bool {
        self.path == Path::new("-")
    }

    /// Checks that the report can be written. Changes no existing file.
    ///
    /// # Errors
    /// A usage error that names the flag, the path and the cause.
    pub(crate) fn check(&self) -> Result<(), RunError> {
        if self.is_stdout() || is_device(&self.path) {
            return Ok(());
        }
        let checked = writable(&self.path);
        checked.map_err(|error| {
            RunError::usage(format!(
                "cannot write {} {}: {error}",
                self.flag,
                self.path.display()
            ))
        })
    }

    /// Writes the report. Prints the error and returns false if that fails.
    pub(crate) fn write(&self, report: &Report) -> bool {
        let text = (self.render)(report);
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
        let printed = report.error.as_ref();
        if !printed.is_some_and(|error| error.message.contains(&name)) {
            note(&format!(
                "error: cannot write {} {name}: {error}",
                self.flag
            ));
        }
        false
    }
}

/// Pipes and devices are opened once and written directly: they cannot be replaced by a rename, and the reader
/// of a pipe sees its end as soon as a writer closes it.
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

/// Writes a temporary file in the same folder and renames it: a reader sees either the old report or the new one.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A symbolic link is kept; the file it points to is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let existing = fs::metadata(&path).ok().map(|meta| meta.permissions());
    let default = fs::Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new()
        .prefix(".tcprove-")
        .permissions(default)
        .tempfile_in(folder(&path))?;
    file.write_all(bytes)?;
    if let Some(existing) = existing {
        file.as_file().set_permissions(existing)?;
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
    fn checking_that_a_file_can_be_written_does_not_change_it() {
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
