//! Temporary folders of servers, and the removal of folders that killed runs have left behind.
//!
//! Every user of a folder holds a shared lock on it (flock(2)): tcprove, and the supervisor of each server that uses it.
//! The kernel releases a lock when its process ends, even by SIGKILL. A process that obtains the exclusive lock
//! therefore knows that the folder is unused. What a server gets is a folder in it, because some servers lock the
//! folder of their data.

use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};
use std::{fs, io};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

/// Prefix of the names of these folders.
const PREFIX: &str = "tcprove-tmp-";
/// Name of the folder that a server gets.
const INNER: &str = "d";
/// Mode of the folder around it: the server may run as another user, who owns the inner one.
const OUTER_MODE: u32 = 0o711;
/// Mode of the inner folder. A server that root has started may become another user, and then reads its files.
const INNER_MODE: u32 = 0o700;
const INNER_MODE_OF_ROOT: u32 = 0o711;
/// Maximum attempts to create a folder: another tcprove may remove a new folder as unused before it is locked.
const ATTEMPTS: usize = 10;
/// Time limit for removing what earlier runs have left behind.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(2);
/// Time limit for another holder of a lock to end, and the pause between two looks.
const ENDING: Duration = Duration::from_secs(2);
const ENDING_PAUSE: Duration = Duration::from_millis(5);
/// Maximum number of entries of one folder that the removal examines.
const ENTRIES_MAX: usize = 100_000;

/// A temporary folder. It is removed when its last user ends.
#[derive(Debug, Clone)]
pub struct Tmp(Arc<LockedFolder>);

/// A folder and its lock. Fields drop in order: the folder is removed before the lock is released.
#[derive(Debug)]
struct LockedFolder {
    outer: tempfile::TempDir,
    inner: PathBuf,
    /// `None` on a file system without locks.
    lock: Option<OwnedFd>,
}

impl Tmp {
    /// Creates an empty folder. The length of its path is always the same. The first call in a process also removes
    /// what earlier runs have left behind.
    ///
    /// # Errors
    /// Those of mkdir(2).
    pub fn new() -> io::Result<Tmp> {
        static CLEANED: Once = Once::new();
        CLEANED.call_once(|| remove_leftovers(&std::env::temp_dir()));
        for _ in 0..ATTEMPTS {
            let outer = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
            let lock = match hold(outer.path()) {
                Ok(lock) if !is_at(&lock, outer.path()) => continue,
                Err(Errno::NOENT) => continue,
                Ok(lock) => Some(lock),
                Err(_) => None,
            };
            let inner = outer.path().join(INNER);
            let mode = match rustix::process::geteuid().is_root() {
                true => INNER_MODE_OF_ROOT,
                false => INNER_MODE,
            };
            fs::DirBuilder::new().mode(mode).create(&inner)?;
            fs::set_permissions(outer.path(), fs::Permissions::from_mode(OUTER_MODE))?;
            return Ok(Tmp(Arc::new(LockedFolder { outer, inner, lock })));
        }
        Err(io::Error::other(
            "new temporary folders are removed by another process before they are locked",
        ))
    }

    /// The path of the folder. Nobody holds a lock on it.
    pub fn path(&self) -> &Path {
        &self.0.inner
    }

    /// The path of what to remove, if it is locked. Only then can a supervisor determine whether it is still in use.
    pub(super) fn locked_path(&self) -> Option<&Path> {
        self.0.lock.as_ref().map(|_| self.0.outer.path())
    }
}

/// Opens the folder and takes a shared lock on it.
pub(super) fn hold(folder: &Path) -> rustix::io::Result<OwnedFd> {
    let opened = open(folder)?;
    rustix::io::retry_on_intr(|| rustix::fs::flock(&opened, FlockOperation::LockShared))?;
    Ok(opened)
}

/// Removes the folder if no other process holds a lock on it, and releases the lock of `opened`. While `is_ending` says
/// that another holder is about to end, it is waited for.
pub(super) fn remove_unused(folder: &Path, opened: OwnedFd, is_ending: impl Fn() -> bool) {
    let until = Instant::now() + ENDING;
    let lock = || rustix::fs::flock(&opened, FlockOperation::NonBlockingLockExclusive).is_ok();
    let mut unused = lock();
    while !unused && is_ending() && Instant::now() < until {
        std::thread::sleep(ENDING_PAUSE);
        unused = lock();
    }
    if unused && is_at(&opened, folder) {
        // If this fails, the next start tries again.
        let _ = fs::remove_dir_all(folder);
    }
}

/// Opens a folder without following a symbolic link.
fn open(folder: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, folder, flags, Mode::empty())
}

/// Whether `folder` is still the path of the opened folder.
fn is_at(opened: &OwnedFd, folder: &Path) -> bool {
    match (rustix::fs::fstat(opened), rustix::fs::lstat(folder)) {
        (Ok(opened), Ok(found)) => (opened.st_dev, opened.st_ino) == (found.st_dev, found.st_ino),
        _ => false,
    }
}

/// Removes the folders of runs that were killed together with their supervisors, and the lock files of ports from
/// earlier versions of tcprove.
fn remove_leftovers(parent: &Path) {
    let until = Instant::now() + CLEANUP_TIMEOUT;
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
            remove_unused(&entry.path(), opened, || false);
        }
    }
    remove_port_files(
        &parent.join(format!("tcprove-ports-{}", user.as_raw())),
        until,
    );
}

/// Removes the lock files that earlier versions created for ports, unless they are locked, and then their folder.
fn remove_port_files(folder: &Path, until: Instant) {
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
    // Fails while the folder is not empty.
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
    fn only_unlocked_folders_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let at = |name: &str| parent.path().join(name);
        let make = |name: &str| {
            fs::create_dir_all(at(name).join("deep")).unwrap();
            fs::write(at(name).join("deep/file"), "x").unwrap();
        };
        for name in ["tcprove-tmp-dead", "tcprove-tmp-live", "other", "tcprove-x"] {
            make(name);
        }
        // Symbolic links, inside a folder or named like one, are not followed.
        symlink(at("other"), at("tcprove-tmp-dead/link")).unwrap();
        symlink(at("other"), at("tcprove-tmp-link")).unwrap();
        let live = hold(&at("tcprove-tmp-live")).unwrap();
        remove_leftovers(parent.path());
        assert!(!at("tcprove-tmp-dead").exists());
        for name in ["tcprove-tmp-live", "other", "tcprove-x", "tcprove-tmp-link"] {
            assert!(at(name).join("deep/file").exists(), "{name}");
        }
        drop(live);
        remove_leftovers(parent.path());
        assert!(!at("tcprove-tmp-live").exists());
    }

    #[test]
    fn unlocked_files_of_earlier_versions_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let user = rustix::process::geteuid().as_raw();
        let folder = parent.path().join(format!("tcprove-ports-{user}"));
        fs::create_dir(&folder).unwrap();
        for port in 10_000..10_050 {
            fs::write(folder.join(port.to_string()), "").unwrap();
        }
        let held = fs::File::open(folder.join("10007")).unwrap();
        rustix::fs::flock(&held, FlockOperation::LockExclusive).unwrap();
        remove_leftovers(parent.path());
        let left: Vec<_> = fs::read_dir(&folder).unwrap().flatten().collect();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].file_name(), "10007");
        drop(held);
        remove_leftovers(parent.path());
        assert!(!folder.exists());
    }

    #[test]
    fn the_last_user_removes_the_folder() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("shared");
        fs::create_dir(&folder).unwrap();
        let (one, two) = (hold(&folder).unwrap(), hold(&folder).unwrap());
        remove_unused(&folder, one, || false);
        assert!(folder.exists());
        remove_unused(&folder, two, || false);
        assert!(!folder.exists());
    }
}
