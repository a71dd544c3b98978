//! The descriptor limits of a running server.

use std::io;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::{NofileLimit, Server, proc};

impl Server {
    /// Sets the descriptor limits of all current processes of its tree.
    ///
    /// # Errors
    /// The first error of prlimit(2); `Unsupported` if attached. A process that has ended is not an error.
    pub fn set_nofile(&self, soft: u64, hard: u64) -> io::Result<()> {
        if self.is_attached() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let value = |limit: u64| (limit != u64::MAX).then_some(limit);
        for process in self.processes().iter().filter(|process| !process.is_dead()) {
            let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
            let limit = Rlimit {
                current: value(soft),
                maximum: value(hard),
            };
            match prlimit(pid, Resource::Nofile, limit) {
                Ok(_) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The descriptor limits of all processes of its tree.
    pub fn nofile(&self) -> Vec<NofileLimit> {
        let limit = |pid| proc::nofile(pid).map(|(soft, hard)| NofileLimit { pid, soft, hard });
        self.tree()
            .iter()
            .filter_map(|process| limit(process.pid))
            .collect()
    }
}
