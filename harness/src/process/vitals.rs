//! Measurements of a server that are cheap enough to follow every case of a fuzz campaign. They use descriptors that are
//! opened once: a [`Glance`] takes about 2 us per process, a [`Vital`] about 8 us.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::Exit;
use crate::sys::{process_cpu, wait_status_of};

/// Maximum number of watched processes: the main process and its oldest descendants.
const WATCHED_MAX: usize = 16;

/// The processes that a server had at one moment, with open descriptors to measure them.
#[derive(Debug)]
pub struct Vitals {
    watched: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    pid: u32,
    pidfd: Arc<OwnedFd>,
    /// `/proc/PID/fd`, if it may be read. Since Linux 6.2 its size is the number of descriptors.
    descriptors: Option<File>,
    stat: Option<File>,
}

/// The minimal measurement, taken after every case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Glance {
    /// Total CPU time of all watched processes.
    pub cpu: Duration,
    /// The pid of the first watched process that has ended.
    pub ended: Option<u32>,
}

/// The full measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vital {
    /// Total CPU time of all watched processes.
    pub(crate) cpu: Duration,
    /// Number of open descriptors.
    pub(crate) descriptors: u64,
    /// Number of threads.
    pub(crate) threads: u64,
    /// Resident memory, in pages.
    pub(crate) rss_pages: u64,
    /// The pid of the first watched process that has ended.
    pub(crate) ended: Option<u32>,
}

impl Vitals {
    /// Watches these processes; the main process comes first.
    pub fn of(pids: impl IntoIterator<Item = u32>) -> Self {
        let watched = pids.into_iter().take(WATCHED_MAX);
        Self {
            watched: watched.filter_map(|pid| Watched::new(pid).ok()).collect(),
        }
    }

    /// Number of watched processes.
    pub(crate) fn processes(&self) -> usize {
        self.watched.len()
    }

    /// Takes the minimal measurement.
    pub fn glance(&self) -> Glance {
        let cpu = |process: &Watched| process_cpu(process.pid).unwrap_or_default();
        Glance {
            ended: self.ended(),
            cpu: self.watched.iter().map(cpu).sum(),
        }
    }

    /// Takes the full measurement.
    pub(crate) fn look(&self) -> Vital {
        let Glance { cpu, ended } = self.glance();
        let mut vital = Vital {
            cpu,
            ended,
            ..Vital::default()
        };
        for process in &self.watched {
            process.add_to(&mut vital);
        }
        vital
    }

    /// How a watched process has ended, once its parent has reaped it. `None` if that is not known: before Linux 6.15, and
    /// for a zombie.
    pub(crate) fn exit_of(&self, pid: u32) -> Option<Exit> {
        let watched = self.watched.iter().find(|process| process.pid == pid)?;
        let status = wait_status_of(&watched.pidfd).ok().flatten()?;
        Some(Exit::of_wait_status(status))
    }

    /// The pid of the first watched process that has ended.
    pub(crate) fn ended(&self) -> Option<u32> {
        let mut ends: Vec<PollFd<'_>> = self
            .watched
            .iter()
            .map(|process| PollFd::new(&process.pidfd, PollFlags::IN))
            .collect();
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        if poll(&mut ends, Some(&now)).unwrap_or(0) == 0 {
            return None;
        }
        let first = ends.iter().position(|end| !end.revents().is_empty())?;
        Some(self.watched[first].pid)
    }
}

impl Watched {
    fn new(pid: u32) -> io::Result<Self> {
        let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let number = number.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self {
            pid,
            pidfd: Arc::new(pidfd_open(number, PidfdFlags::empty())?),
            descriptors: File::open(format!("/proc/{pid}/fd")).ok(),
            stat: File::open(format!("/proc/{pid}/stat")).ok(),
        })
    }

    fn add_to(&self, vital: &mut Vital) {
        if let Some(folder) = &self.descriptors
            && let Ok(size) = rustix::fs::fstat(folder.as_fd())
        {
            vital.descriptors += u64::try_from(size.st_size).unwrap_or(0);
        }
        let mut line = [0; 512];
        if let Some(stat) = &self.stat
            && let Ok(count) = stat.read_at(&mut line, 0)
            && let Some((threads, rss_pages)) = threads_and_pages(&line[..count])
        {
            vital.threads += threads;
            vital.rss_pages += rss_pages;
        }
    }
}

/// Fields 20 and 24 of `/proc/PID/stat` (proc(5)). The name before them may contain any byte.
fn threads_and_pages(line: &[u8]) -> Option<(u64, u64)> {
    let rest = &line[memchr::memrchr(b')', line)? + 1..];
    let mut fields = rest.split(|byte| *byte == b' ').skip(1);
    let number = |field: Option<&[u8]>| std::str::from_utf8(field?).ok()?.trim().parse().ok();
    let threads = number(fields.nth(17))?;
    Some((threads, number(fields.nth(3))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_this_process() {
        let vitals = Vitals::of([std::process::id()]);
        let before = vitals.look();
        let more = [
            File::open("/dev/null").unwrap(),
            File::open("/dev/null").unwrap(),
        ];
        let after = vitals.look();
        assert!(before.cpu > Duration::ZERO && before.rss_pages > 100 && before.threads >= 1);
        // Before Linux 6.2 the size of that folder is 0. Other tests of this process open and close descriptors too.
        let counts = before.descriptors > 0;
        assert!(!counts || after.descriptors + 20 >= before.descriptors + more.len() as u64);
        assert_eq!(after.ended, None);
    }

    #[test]
    fn detects_the_end_of_a_process() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let vitals = Vitals::of([std::process::id(), child.id()]);
        assert_eq!((vitals.processes(), vitals.ended()), (2, None));
        child.kill().unwrap();
        let until = std::time::Instant::now() + Duration::from_secs(5);
        while vitals.ended().is_none() {
            assert!(std::time::Instant::now() < until);
            std::thread::yield_now();
        }
        assert_eq!(vitals.ended(), Some(child.id()));
        assert_eq!(vitals.exit_of(child.id()), None);
        child.wait().unwrap();
        // Older kernels do not tell.
        let exit = vitals.exit_of(child.id());
        assert!(matches!(exit, None | Some(Exit::Signal(9))), "{exit:?}");
    }

    #[test]
    fn fields_of_stat() {
        let line = b"1 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 21 18 19 20 333 23\n";
        assert_eq!(threads_and_pages(line), Some((21, 333)));
    }
}
