//! The temporary folder that valgrind writes to.

use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::CountError;
use crate::process::Tmp;

/// A folder for the files of one run, removed when it is dropped.
pub(super) struct Folder {
    _outer: Tmp,
    inner: PathBuf,
    shared: bool,
}

impl Folder {
    /// Creates an empty folder.
    pub(super) fn new() -> Result<Self, CountError> {
        Self::make(rustix::process::geteuid().is_root()).map_err(|error| CountError::Harness {
            doing: "create a temporary folder",
            error,
        })
    }

    /// Valgrind writes as the user of the process at its exit. A process started by root may have become any user by
    /// then, so any user may create files there, but not list the folder or remove the files of others.
    fn make(shared: bool) -> std::io::Result<Self> {
        let outer = Tmp::new()?;
        let inner = outer.path().join("counts");
        std::fs::DirBuilder::new().mode(0o700).create(&inner)?;
        if shared {
            let set = |path: &Path, mode| {
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
            };
            set(&inner, 0o1733)?;
            set(outer.path(), 0o711)?;
        }
        Ok(Self {
            _outer: outer,
            inner,
            shared,
        })
    }

    /// Lets any user write the files that exist now: callgrind creates them when a process starts, as the user of the
    /// process at that time.
    pub(super) fn open_files(&self) {
        let entries = std::fs::read_dir(&self.inner).into_iter().flatten();
        for entry in entries.flatten().filter(|_| self.shared) {
            // A file that cannot be written is reported after the run.
            let all = std::fs::Permissions::from_mode(0o666);
            let _ = std::fs::set_permissions(entry.path(), all);
        }
    }

    /// The path of the folder; its length is always the same.
    pub(super) fn path(&self) -> &Path {
        &self.inner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_may_write_only_where_they_have_to() {
        for (shared, expected) in [(true, 0o1733), (false, 0o700)] {
            let folder = Folder::make(shared).unwrap();
            let outer = folder.path().parent().unwrap().to_owned();
            let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
            assert_eq!(mode(folder.path()), expected);
            assert!(!shared || mode(&outer) == 0o711);
            let file = folder.path().join("callgrind.7");
            std::fs::write(&file, "").unwrap();
            let before = mode(&file);
            folder.open_files();
            assert_eq!(mode(&file), if shared { 0o666 } else { before });
            drop(folder);
            assert!(!outer.exists());
        }
    }
}
