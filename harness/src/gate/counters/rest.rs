//! Waiting until a server sleeps again.
//!
//! A request that comes while the server still goes to sleep is another amount of work than one that
//! wakes it. Which of both happens would depend on the machine, and under valgrind it would mostly be the
//! one that is rare without it.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::process::Server;

/// Between two looks.
const LOOK: Duration = Duration::from_micros(20);
/// Longest wait.
const LONGEST: Duration = Duration::from_secs(2);
/// After so many of them in a row it is no longer waited for.
const IN_VAIN_MAX: u32 = 2;
/// New threads are looked for after so many waits.
const RELIST: u32 = 64;

/// The threads of a server.
pub(super) struct Rest<'a> {
    server: &'a Server,
    /// `stat` of each thread (proc(5)).
    threads: Vec<File>,
    waits: u32,
    in_vain: u32,
}

impl<'a> Rest<'a> {
    /// Of the threads that there are now.
    pub(super) fn of(server: &'a Server) -> Self {
        let mut rest = Self {
            server,
            threads: Vec::new(),
            waits: 0,
            in_vain: 0,
        };
        rest.list();
        rest
    }

    /// Looks for threads and processes that have come.
    pub(super) fn list(&mut self) {
        let tasks = |pid: u32| std::fs::read_dir(format!("/proc/{pid}/task"));
        let folders = self
            .server
            .pids()
            .into_iter()
            .filter_map(|pid| tasks(pid).ok());
        self.threads = folders
            .flat_map(|folder| folder.flatten())
            .filter_map(|thread| stat(&thread.path()))
            .collect();
        self.waits = 0;
    }

    /// Waits until no thread runs. A server that never sleeps is not waited for any more after a few times.
    pub(super) fn wait(&mut self) {
        self.waits += 1;
        if self.waits > RELIST {
            self.list();
        }
        if self.never_sleeps() {
            return;
        }
        let begun = Instant::now();
        while self.runs() {
            if begun.elapsed() > LONGEST {
                self.in_vain += 1;
                return;
            }
            std::thread::sleep(LOOK);
        }
        self.in_vain = 0;
    }

    /// Waits until no thread has run for so long, and all threads are known.
    pub(super) fn settle(&mut self, quiet: Duration) {
        let begun = Instant::now();
        let mut since = begun;
        while since.elapsed() < quiet && begun.elapsed() < LONGEST {
            self.list();
            if self.runs() {
                since = Instant::now();
            }
            std::thread::sleep(quiet / 10);
        }
    }

    /// Whether there was no moment in which it slept.
    pub(super) fn never_sleeps(&self) -> bool {
        self.in_vain >= IN_VAIN_MAX
    }

    fn runs(&self) -> bool {
        self.threads.iter().any(|thread| {
            let mut line = [0; 128];
            // One that has ended does not run.
            let count = thread.read_at(&mut line, 0).unwrap_or(0);
            is_running(&line[..count])
        })
    }
}

fn stat(thread: &Path) -> Option<File> {
    File::open(thread.join("stat")).ok()
}

/// Whether the thread runs or waits for a processor or a disk, by the letter behind its name, which may hold
/// anything.
fn is_running(line: &[u8]) -> bool {
    let end = memchr::memrchr(b')', line);
    let state = end.and_then(|end| line.get(end + 2));
    matches!(state, Some(b'R' | b'D'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_stands_behind_the_name() {
        assert!(is_running(b"7 (server) R 1 7"));
        assert!(is_running(b"7 (server) D 1 7"));
        assert!(is_running(b"7 (a ) S (b) R 1 7"));
        for asleep in [
            "7 (server) S 1 7",
            "7 (R) S 1",
            "7 (server) Z 1",
            "7 (server)",
            "",
        ] {
            assert!(!is_running(asleep.as_bytes()), "{asleep}");
        }
    }
}
