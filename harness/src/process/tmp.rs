//! Temporary folders of servers, and the removal of those that dead runs have left.
//!
//! Everybody who uses a folder holds a shared lock on it (flock(2)): tcprove, and the supervisor of each server
//! life in it. The kernel releases a lock with the process that holds it, however that ends, so whoever gets the
//! exclusive lock knows that the folder is nobody's any more.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};
use std::{fs, io};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

/// The beginning of the names of these folders.
const PREFIX: &str = "tcprove-tmp-";
/// A fresh folder may be removed as a remain before its lock is taken; then another one is made, at most this often.
const ATTEMPTS: usize = 10;
/// Longest time spent on what dead runs have left.
const CLEARING: Duration = Duration::from_secs(2);
/// Most entries of one folder that are looked at for it.
const ENTRIES_MAX: usize = 100_000;

/// A temporary folder, removed with the last server that uses it.
#[derive(Debug, Clone)]
pub struct Tmp(Arc<Held>);

/// The folder is removed before its lock is released.
#[derive(Debug)]
struct Held {
    folder: tempfile::TempDir,
    /// `None` on a file system without locks.
    lock: Option<OwnedFd>,
}

impl Tmp {
    /// A fresh, empty one. Its path has the same length every time.
    ///
    /// # Errors
    /// Those of mkdir(2).
    pub fn new() -> io::Result<Tmp> {
        static CLEARED: Once = Once::new();
        CLEARED.call_once(|| clear_remains(&std::env::temp_dir()));
        for _ in 0..ATTEMPTS {
            let folder = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
            let lock = match hold(folder.path()) {
                Ok(lock) if !is_at(&lock, folder.path()) => continue,
                Err(Errno::NOENT) => continue,
                Ok(lock) => Some(lock),
                Err(_) => None,
            };
            return Ok(Tmp(Arc::new(Held { folder, lock })));
        }
        Err(io::Error::other("fresh temporary folders keep vanishing"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.folder.path()
    }

    /// Where it is, if it is locked: then a supervisor can tell whether anybody else uses it.
    pub(super) fn locked(&self) -> Option<&Path> {
        self.0.lock.as_ref().map(|_| self.path())
    }
}

/// Opens the folder and takes a shared lock on it.
pub(super) fn hold(folder: &Path) -> rustix::io::Result<OwnedFd> {
    let opened = open(folder)?;
    rustix::io::retry_on_intr(|| rustix::fs::flock(&opened, FlockOperation::LockShared))?;
    Ok(opened)
}

/// Removes the folder if nobody else holds a lock on it, and lets go of ours.
pub(super) fn remove_unused(folder: &Path, opened: OwnedFd) {
    let unused = rustix::fs::flock(&opened, FlockOperation::NonBlockingLockExclusive).is_ok();
    if unused && is_at(&opened, folder) {
        // What cannot be removed is tried again at the next start.
        let _ = fs::remove_dir_all(folder);
    }
}

/// Never through a symbolic link.
fn open(folder: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, folder, flags, Mode::empty())
}

/// Whether this path still leads to this folder.
fn is_at(opened: &OwnedFd, folder: &Path) -> bool {
    match (rustix::fs::fstat(opened), rustix::fs::lstat(folder)) {
        (Ok(opened), Ok(found)) => (opened.st_dev, opened.st_ino) == (found.st_dev, found.st_ino),
        _ => false,
    }
}

/// Removes the folders of runs that were killed together with their supervisors, and the lock files of ports that
/// earlier versions have left.
fn clear_remains(parent: &Path) {
    let until = Instant::now() + CLEARING;
    let user = rustix::process::geteuid();
    let is_ours = |owner: u32| user.is_root() || owner == user.as_raw();
    for entry in entries(parent, until) {
        let is_tmp = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX));
        let Some(opened) = is_tmp.then(|| open(&entry.path()).ok()).flatten() else {
            continue;
        };
        if rustix::fs::fstat(&opened).is_ok_and(|stat| is_ours(stat.st_uid)) {
            remove_unused(&entry.path(), opened);
        }
    }
    clear_port_files(
        &parent.join(format!("tcprove-ports-{}", user.as_raw())),
        until,
    );
}

/// Each lock file of a port, unless a run of an earlier version holds it, and then the folder.
fn clear_port_files(folder: &Path, until: Instant) {
    let user = rustix::process::geteuid().as_raw();
    let Ok(opened) = open(folder) else { return };
    if !rustix::fs::fstat(&opened).is_ok_and(|stat| stat.st_uid == user) {
        return;
    }
    for entry in entries(folder, until) {
        let is_port = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.parse::<u16>().is_ok());
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Some(Ok(file)) =
            is_port.then(|| rustix::fs::openat(CWD, entry.path(), flags, Mode::empty()))
        else {
            continue;
        };
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = fs::remove_file(entry.path());
        }
    }
    // Fails as long as something is in it.
    let _ = fs::remove_dir(folder);
}

fn entries(folder: &Path, until: Instant) -> impl Iterator<Item = fs::DirEntry> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .take(ENTRIES_MAX)
        .take_while(move |_| Instant::now() < until)
        .flatten()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_what_nobody_holds_is_cleared() {
        let parent = tempfile::tempdir().unwrap();
        let at = |name: &str| parent.path().join(name);
        let make = |name: &str| {
            fs::create_dir_all(at(name).join("deep")).unwrap();
            fs::write(at(name).join("deep/file"), "x").unwrap();
        };
        for name in ["tcprove-tmp-dead", "tcprove-tmp-live", "other", "tcprove-x"] {
            make(name);
        }
        // A link in a folder and a link of a folder's name: what they lead to is left alone.
        symlink(at("other"), at("tcprove-tmp-dead/link")).unwrap();
        symlink(at("other"), at("tcprove-tmp-link")).unwrap();
        let live = hold(&at("tcprove-tmp-live")).unwrap();
        clear_remains(parent.path());
        assert!(!at("tcprove-tmp-dead").exists());
        for name in ["tcprove-tmp-live", "other", "tcprove-x", "tcprove-tmp-link"] {
            assert!(at(name).join("deep/file").exists(), "{name}");
        }
        drop(live);
        clear_remains(parent.path());
        assert!(!at("tcprove-tmp-live").exists());
    }

    #[test]
    fn the_files_of_earlier_versions_are_cleared_unless_they_are_locked() {
        let parent = tempfile::tempdir().unwrap();
        let user = rustix::process::geteuid().as_raw();
        let folder = parent.path().join(format!("tcprove-ports-{user}"));
        fs::create_dir(&folder).unwrap();
        for port in 10_000..10_050 {
            fs::write(folder.join(port.to_string()), "").unwrap();
        }
        let held = fs::File::open(folder.join("10007")).unwrap();
        rustix::fs::flock(&held, FlockOperation::LockExclusive).unwrap();
        clear_remains(parent.path());
        let left: Vec<_> = fs::read_dir(&folder).unwrap().flatten().collect();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].file_name(), "10007");
        drop(held);
        clear_remains(parent.path());
        assert!(!folder.exists());
    }

    #[test]
    fn the_last_who_uses_a_folder_removes_it() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("shared");
        fs::create_dir(&folder).unwrap();
        let (one, two) = (hold(&folder).unwrap(), hold(&folder).unwrap());
        remove_unused(&folder, one);
        assert!(folder.exists());
        remove_unused(&folder, two);
        assert!(!folder.exists());
    }
}
