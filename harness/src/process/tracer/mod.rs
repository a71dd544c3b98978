//! Breakpoints in a running server: each tells once that a place in its program was reached.
//!
//! The supervisor is the tracer: it is the parent of the server, so it needs no privileges, and it waits for events anyway.
//! It writes a breakpoint to each place of the [`TracePlan`], and at the first hit restores the byte and appends the place
//! to the [`TraceLog`], memory that it shares with tcprove. Afterwards that place costs nothing.
//!
//! Everything else passes: signals are delivered, a stopped process stays stopped, new threads and processes are followed.
//! If the supervisor ends, the kernel kills all traced processes, which would otherwise die of the next breakpoint.

mod log;
mod plan;
mod space;
mod supervised;

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::TraceLog;
pub(crate) use log::TraceState;
pub(crate) use plan::{Place, TracePlan};
pub(super) use supervised::Tracer;

use crate::binary::Binary;
pub(crate) use crate::sys::BREAKPOINTS;

/// Maximum wait until the supervisor has done what it was asked for.
const ANSWER: Duration = Duration::from_millis(200);

/// The breakpoints of one life of a server: what to trace, and what it has reached.
#[derive(Debug)]
pub struct Trace {
    plan: Arc<TracePlan>,
    file: File,
    log: TraceLog,
}

impl Trace {
    /// A trace of a server that is about to start.
    ///
    /// # Errors
    /// No descriptor or no memory is left.
    pub(crate) fn new(plan: Arc<TracePlan>) -> io::Result<Self> {
        let (file, log) = TraceLog::new(plan.places())?;
        Ok(Self { plan, file, log })
    }

    /// A trace of the basic blocks of these programs and libraries.
    ///
    /// # Errors
    /// One of them cannot be taken apart; no descriptor or no memory is left.
    pub fn of_programs(paths: &[PathBuf]) -> io::Result<Arc<Self>> {
        let mut files = Vec::new();
        for path in paths {
            let path = path.canonicalize()?;
            let binary = Binary::read(&path, u64::MAX).map_err(io::Error::other)?;
            files.push((path, binary.blocks.iter().map(Place::of).collect()));
        }
        Ok(Arc::new(Self::new(Arc::new(TracePlan::new(&files)?))?))
    }

    /// The number of different blocks that the server has executed so far.
    pub fn reached(&self) -> usize {
        let mut reached = self.log.since(0);
        reached.sort_unstable();
        reached.dedup();
        reached.len()
    }

    /// Whether the supervisor has written breakpoints. A server runs a little before that.
    pub fn has_begun(&self) -> bool {
        matches!(self.log.state(), TraceState::Traced(_))
    }

    /// What the server has reached.
    pub(crate) fn log(&self) -> &TraceLog {
        &self.log
    }

    /// The argument by which a supervisor finds both files.
    pub(super) fn argument(&self) -> String {
        let own = std::process::id();
        let (plan, log) = (self.plan.file().as_raw_fd(), self.file.as_raw_fd());
        format!("/proc/{own}/fd/{plan}:/proc/{own}/fd/{log}")
    }

    /// Arms these places of the server again, each of which then reports its next hit; with none, what the server has loaded
    /// since its start. `wake` wakes its supervisor. Returns whether it was done.
    pub(crate) fn arm_again(&self, places: &[u32], wake: impl FnOnce() -> io::Result<()>) -> bool {
        let Some(number) = self.log.request(places) else {
            return false;
        };
        if wake().is_err() {
            return false;
        }
        let until = Instant::now() + ANSWER;
        while !self.log.is_done(number) {
            if Instant::now() > until {
                return false;
            }
            std::thread::yield_now();
        }
        true
    }
}

/// The programs that these processes execute, without symbolic links, each once.
pub(crate) fn executables(pids: &[u32]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for pid in pids {
        if let Ok(path) = std::fs::read_link(format!("/proc/{pid}/exe"))
            && !found.contains(&path)
        {
            found.push(path);
        }
    }
    found
}

/// The files with code that these processes have mapped and whose names begin with one of these, each once.
pub(crate) fn libraries(pids: &[u32], names: &[String]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for pid in pids {
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        let code = maps.lines().filter(|line| line.contains(" r-xp "));
        for path in code.filter_map(|line| line.find('/').map(|at| PathBuf::from(&line[at..]))) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_wanted = names.iter().any(|wanted| name.starts_with(wanted.as_str()));
            if is_wanted && !found.contains(&path) {
                found.push(path);
            }
        }
    }
    found
}
