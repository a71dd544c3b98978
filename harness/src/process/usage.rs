//! Processes of a server and what they use.

use std::collections::HashMap;
use std::time::Duration;

use super::proc::{self, Stat};
use crate::sys::process_cpu;

/// One process of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its parent's number.
    pub ppid: u32,
    /// Its name, at most 15 bytes; the server chose it.
    pub comm: String,
    /// `R` running, `S` sleeping, `D` in the kernel, `T` stopped, ... as in proc(5).
    pub state: char,
}

impl From<Stat> for Process {
    fn from(stat: Stat) -> Process {
        Process {
            pid: stat.pid,
            ppid: stat.ppid,
            comm: stat.comm,
            state: stat.state,
        }
    }
}

/// The descriptor limit of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NofileLimit {
    /// The process.
    pub pid: u32,
    /// What holds now.
    pub soft: u64,
    /// What it may raise it to.
    pub hard: u64,
}

/// What all processes of a server use together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time used since the start. Never falls: what ended processes had used when last looked at stays in it.
    pub cpu: Duration,
    /// Resident memory. Pages shared between processes count once for each.
    pub rss_bytes: u64,
    /// The same without pages of files (`VmRSS` less `RssFile` of proc(5)): what the processes allocated.
    pub own_bytes: u64,
    /// The sum of what each process had resident at its worst moment (VmHWM); these moments may differ.
    pub rss_peak_bytes: u64,
    /// Address space.
    pub vm_bytes: u64,
    /// Open descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: usize,
    /// Processes.
    pub processes: usize,
    /// The same for each process.
    pub per_process: Vec<ProcessUsage>,
}

/// What one process uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessUsage {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub comm: String,
    /// CPU time of all its threads.
    pub cpu: Duration,
    /// Resident memory.
    pub rss_bytes: u64,
    /// The same without pages of files.
    pub own_bytes: u64,
    /// Resident memory at its worst moment.
    pub rss_peak_bytes: u64,
    /// Address space.
    pub vm_bytes: u64,
    /// Open descriptors; `None` where we may not look.
    pub descriptors: Option<usize>,
    /// Threads.
    pub threads: usize,
}

/// The CPU time last seen of each process, dead ones too, by pid and start time.
#[derive(Debug, Default)]
pub(super) struct CpuSeen(HashMap<(u32, u64), Duration>);

/// A forking server has a process a connection: the dead are added up when there are more than this.
const REMEMBERED_MAX: usize = 4096;

impl CpuSeen {
    /// Looks at these processes now.
    pub(super) fn usage(&mut self, tree: &[Stat]) -> Usage {
        let mut total = Usage::default();
        for stat in tree.iter().filter(|stat| !stat.is_dead()) {
            let one = self.look(stat);
            total.rss_bytes += one.rss_bytes;
            total.own_bytes += one.own_bytes;
            total.rss_peak_bytes += one.rss_peak_bytes;
            total.vm_bytes += one.vm_bytes;
            total.descriptors += one.descriptors.unwrap_or(0);
            total.threads += one.threads;
            total.processes += 1;
            total.per_process.push(one);
        }
        self.forget(tree);
        total.cpu = self.0.values().sum();
        total
    }

    fn look(&mut self, stat: &Stat) -> ProcessUsage {
        let memory = proc::memory(stat.pid).unwrap_or_default();
        ProcessUsage {
            pid: stat.pid,
            comm: stat.comm.clone(),
            cpu: self.see(stat),
            rss_bytes: memory.rss,
            own_bytes: memory.rss.saturating_sub(memory.rss_file),
            rss_peak_bytes: memory.rss_peak,
            vm_bytes: memory.vm,
            descriptors: proc::descriptor_count(stat.pid),
            threads: stat.threads,
        }
    }

    /// CPU time of all processes together, these ones looked at now.
    pub(super) fn cpu(&mut self, tree: &[Stat]) -> Duration {
        for stat in tree {
            self.see(stat);
        }
        self.forget(tree);
        self.0.values().sum()
    }

    fn see(&mut self, stat: &Stat) -> Duration {
        let seen = self.0.entry((stat.pid, stat.start_time)).or_default();
        *seen = (*seen).max(process_cpu(stat.pid).unwrap_or_default());
        *seen
    }

    /// Adds up the dead under one key that no process has.
    fn forget(&mut self, tree: &[Stat]) {
        if self.0.len() <= REMEMBERED_MAX + tree.len() {
            return;
        }
        let alive = |key: &(u32, u64)| tree.iter().any(|stat| (stat.pid, stat.start_time) == *key);
        let (kept, dead): (HashMap<_, _>, HashMap<_, _>) =
            self.0.drain().partition(|(key, _)| alive(key));
        self.0 = kept;
        self.0.insert((0, 0), dead.into_values().sum());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_of_the_dead_stays() {
        let mut seen = CpuSeen::default();
        let us = proc::stat(std::process::id()).unwrap();
        let before = seen.usage(std::slice::from_ref(&us));
        assert_eq!((before.processes, before.per_process.len()), (1, 1));
        assert!(before.cpu > Duration::ZERO && before.descriptors > 2 && before.rss_peak_bytes > 0);
        let after = seen.usage(&[]);
        assert_eq!((after.processes, after.cpu), (0, before.cpu));
    }

    #[test]
    fn many_dead_are_added_up() {
        let mut seen = CpuSeen::default();
        for pid in 1..=5000 {
            seen.0.insert((pid, 7), Duration::from_nanos(2));
        }
        assert_eq!(seen.cpu(&[]), Duration::from_nanos(10_000));
        assert_eq!(seen.0.len(), 1);
    }
}
