//! Waits until a server sleeps again.
//!
//! A request that arrives while the server is still going to sleep costs a different amount of work than one that wakes
//! it. Which of the two happens would depend on the machine, and under valgrind it would mostly be the case that is rare
//! otherwise.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::process::Server;

/// Polling interval.
const POLL: Duration = Duration::from_micros(20);
/// Maximum time of one wait.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// Number of timeouts in a row after which waiting is given up.
const IN_VAIN_MAX: u32 = 2;
/// Number of waits after which the list of threads is refreshed.
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
    /// Watches the threads that exist now.
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

    /// Refreshes the list of threads and processes.
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

    /// Waits until no thread runs. Gives up on a server that never sleeps.
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
            if begun.elapsed() > WAIT_MAX {
                self.in_vain += 1;
                return;
            }
            std::thread::sleep(POLL);
        }
        self.in_vain = 0;
    }

    /// Waits until no thread has run for the time `quiet`, and all threads are known.
    pub(super) fn settle(&mut self, quiet: Duration) {
        let begun = Instant::now();
        let mut since = begun;
        while since.elapsed() < quiet && begun.elapsed() < WAIT_MAX {
            self.list();
            if self.runs() {
                since = Instant::now();
            }
            std::thread::sleep(quiet / 10);
        }
    }

    /// Whether waiting was given up.
    pub(super) fn never_sleeps(&self) -> bool {
        self.in_vain >= IN_VAIN_MAX
    }

    fn runs(&self) -> bool {
        self.threads.iter().any(|thread| {
            let mut line = [0; 128];
            // A thread that has exited does not run.
            let count = thread.read_at(&mut line, 0).unwrap_or(0);
            is_running(&line[..count])
        })
    }
}

fn stat(thread: &Path) -> Option<File> {
    File::open(thread.join("stat")).ok()
}

/// Whether the thread runs or waits for a processor or a disk, by the state after its name. The name may contain any
/// byte.
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
