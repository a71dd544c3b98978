//! Keeps a running server from creating threads and processes.
//!
//! A control group of its own with the controller `pids` stops any process (root, or a delegated group). Without one,
//! `RLIMIT_NPROC` stops the processes of other users than root.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{fs, io};

use rustix::process::{Pid, Resource, Rlimit, geteuid, prlimit};

use super::{Server, proc};

/// Number of attempts to move all processes into the group: a process that is moved may have just started another one.
const MOVES: u32 = 5;

/// A limit that is in force until it is dropped.
#[derive(Debug)]
pub(crate) enum TaskLimit {
    Group(Group),
    Resource(Vec<(Pid, Rlimit)>),
}

impl TaskLimit {
    /// Whether this machine lets tcprove set such a limit.
    pub(crate) fn is_possible() -> bool {
        !geteuid().is_root() || Group::new().is_ok()
    }

    /// Allows the server only as many threads as it has now.
    ///
    /// # Errors
    /// The machine does not allow it, or the server has ended.
    pub(crate) fn of(server: &Server) -> io::Result<Self> {
        match Group::new() {
            Ok(group) => {
                group.take(server)?;
                Ok(Self::Group(group))
            }
            Err(error) if geteuid().is_root() => Err(error),
            Err(_) => Ok(Self::Resource(without_more(&server.pids())?)),
        }
    }

    /// How often the limit has kept the server from creating a thread or process. `None` if the kernel does not count
    /// that.
    pub(crate) fn hits(&self) -> Option<u64> {
        match self {
            Self::Group(group) => group.hits(),
            Self::Resource(_) => None,
        }
    }
}

impl Drop for TaskLimit {
    fn drop(&mut self) {
        if let Self::Resource(before) = self {
            for (pid, limit) in before {
                // A process that has ended needs no limit.
                let _ = prlimit(Some(*pid), Resource::Nproc, *limit);
            }
        }
    }
}

/// Sets the soft limit of these processes to 0. Returns their limits before.
fn without_more(pids: &[u32]) -> io::Result<Vec<(Pid, Rlimit)>> {
    let mut before = Vec::new();
    for &number in pids {
        let pid = i32::try_from(number).ok().and_then(Pid::from_raw);
        let (Some(pid), Some((_, hard))) = (pid, proc::nproc(number)) else {
            continue;
        };
        let none = Rlimit {
            current: Some(0),
            maximum: (hard != u64::MAX).then_some(hard),
        };
        before.push((pid, prlimit(Some(pid), Resource::Nproc, none)?));
    }
    Ok(before)
}

/// A control group below that of tcprove, removed when dropped.
#[derive(Debug)]
pub(crate) struct Group {
    folder: PathBuf,
    /// The group of tcprove, to which the processes return.
    parent: PathBuf,
}

impl Group {
    fn new() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let memberships = fs::read_to_string("/proc/self/cgroup")?;
        let parent = parent(&memberships, Path::new("/sys/fs/cgroup"))
            .ok_or(io::Error::from(io::ErrorKind::Unsupported))?;
        remove_abandoned(&parent);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!("{NAME}{}-{number}", std::process::id()));
        fs::create_dir(&folder)?;
        let group = Self { folder, parent };
        // The file exists only if the controller is enabled for the children of the parent.
        fs::write(group.folder.join("pids.max"), "max")?;
        Ok(group)
    }

    /// Moves all processes of the server into the group, and allows no more.
    fn take(&self, server: &Server) -> io::Result<()> {
        let members = self.folder.join("cgroup.procs");
        for _ in 0..MOVES {
            let inside = fs::read_to_string(&members)?;
            let is_inside = |pid: &u32| inside.lines().any(|line| line == pid.to_string());
            let outside: Vec<u32> = server
                .pids()
                .into_iter()
                .filter(|pid| !is_inside(pid))
                .collect();
            if outside.is_empty() {
                let now = fs::read_to_string(self.folder.join("pids.current"))?;
                return fs::write(self.folder.join("pids.max"), now.trim());
            }
            for pid in outside {
                moved(&members, pid)?;
            }
        }
        Err(io::Error::other("the server starts processes all the time"))
    }

    fn hits(&self) -> Option<u64> {
        let events = fs::read_to_string(self.folder.join("pids.events")).ok()?;
        let mut lines = events.lines();
        lines.find_map(|line| line.strip_prefix("max ")?.parse().ok())
    }
}

/// Begin of the names of groups, before the pid of tcprove.
const NAME: &str = "tcprove-";

/// Removes the groups of a tcprove that was killed: their processes have ended with it, and the kernel removes only empty
/// groups.
fn remove_abandoned(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.strip_prefix(NAME)?.split('-').next()?.parse().ok());
        if pid.is_some_and(|pid| proc::stat(pid).is_none()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Moves a process, which may have ended.
fn moved(members: &Path, pid: u32) -> io::Result<()> {
    match fs::write(members, pid.to_string()) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        other => other,
    }
}

/// The folder of the group of tcprove in the hierarchy that has the controller `pids`.
fn parent(memberships: &str, root: &Path) -> Option<PathBuf> {
    let groups = memberships.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        Some((parts.next()?, parts.next()?.trim_start_matches('/')))
    });
    let folders = groups.filter_map(|(controllers, path)| {
        if controllers.split(',').any(|name| name == "pids") {
            return Some(root.join(controllers).join(path));
        }
        // Version 2 has one hierarchy for all controllers.
        controllers.is_empty().then(|| root.join(path))
    });
    folders
        .into_iter()
        .find(|folder| folder.join("cgroup.procs").is_file())
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::write(self.folder.join("pids.max"), "max");
        let members = self.folder.join("cgroup.procs");
        let home = self.parent.join("cgroup.procs");
        for _ in 0..MOVES {
            let inside = fs::read_to_string(&members).unwrap_or_default();
            for pid in inside.lines().filter_map(|line| line.parse().ok()) {
                let _ = moved(&home, pid);
            }
            if fs::remove_dir(&self.folder).is_ok() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_hierarchy_with_the_controller() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["pids/a/b", "pids", "c"] {
            let folder = root.path().join(folder);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("cgroup.procs"), "").unwrap();
        }
        let of = |text: &str| parent(text, root.path());
        assert_eq!(
            of("9:name=systemd:/\n8:pids:/a/b\n0::/c\n"),
            Some(root.path().join("pids/a/b"))
        );
        assert_eq!(of("0::/c\n"), Some(root.path().join("c")));
        assert_eq!(of("0::/elsewhere\n"), None);
    }
}
