//! Looks at a server that cost so little that they can follow every case of a fuzz campaign, on descriptors
//! that are opened once: a glance takes about 2 us a process, a whole look about 8.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::sys::process_cpu;

/// Processes that are watched at most: the main one and its oldest workers.
const WATCHED_MAX: usize = 16;

/// The processes that a server had at one moment, held so that looking at them is cheap.
#[derive(Debug)]
pub struct Vitals {
    watched: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    pid: u32,
    pidfd: Arc<OwnedFd>,
    /// Its folder of descriptors, where we may look: its size is their number (since Linux 6.2).
    descriptors: Option<File>,
    stat: Option<File>,
}

/// The least look: what has to be known after every case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Glance {
    /// CPU time of all watched processes so far.
    pub cpu: Duration,
    /// A process that has ended.
    pub ended: Option<u32>,
}

/// A whole look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vital {
    /// CPU time of all watched processes so far.
    pub cpu: Duration,
    /// Their open descriptors.
    pub descriptors: u64,
    /// Their threads.
    pub threads: u64,
    /// Their resident memory, in pages.
    pub rss_pages: u64,
    /// A process that has ended.
    pub ended: Option<u32>,
}

impl Vitals {
    /// Watches these processes from now on, the main one first.
    pub fn of(pids: impl IntoIterator<Item = u32>) -> Self {
        let watched = pids.into_iter().take(WATCHED_MAX);
        Self {
            watched: watched.filter_map(|pid| Watched::new(pid).ok()).collect(),
        }
    }

    /// How many processes are watched.
    pub fn processes(&self) -> usize {
        self.watched.len()
    }

    /// Glances at all of them.
    pub fn glance(&self) -> Glance {
        let cpu = |process: &Watched| process_cpu(process.pid).unwrap_or_default();
        Glance {
            ended: self.ended(),
            cpu: self.watched.iter().map(cpu).sum(),
        }
    }

    /// Looks at all of them.
    pub fn look(&self) -> Vital {
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

    /// The first that has ended.
    pub fn ended(&self) -> Option<u32> {
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

/// Fields 20 and 24 of proc(5)'s stat; the name before them may hold anything.
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
    fn looks_at_ourselves() {
        let vitals = Vitals::of([std::process::id()]);
        let before = vitals.look();
        let more = [
            File::open("/dev/null").unwrap(),
            File::open("/dev/null").unwrap(),
        ];
        let after = vitals.look();
        assert!(before.cpu > Duration::ZERO && before.rss_pages > 100 && before.threads >= 1);
        // Before Linux 6.2 the size of that folder is 0; other tests of this process open and close too.
        let counts = before.descriptors > 0;
        assert!(!counts || after.descriptors + 20 >= before.descriptors + more.len() as u64);
        assert_eq!(after.ended, None);
    }

    #[test]
    fn sees_an_end_at_once() {
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
        child.wait().unwrap();
    }

    #[test]
    fn fields_of_stat() {
        let line = b"1 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 21 18 19 20 333 23\n";
        assert_eq!(threads_and_pages(line), Some((21, 333)));
    }
}
