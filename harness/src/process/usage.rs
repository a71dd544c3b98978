//! Resource usage of a server's processes.

use std::collections::HashMap;
use std::time::Duration;

use super::proc::{self, Stat};
use crate::sys::process_cpu;

/// One process of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its pid.
    pub pid: u32,
    /// The pid of its parent.
    pub ppid: u32,
    /// Its name (comm), at most 15 bytes. The server can choose it.
    pub comm: String,
    /// Its state as in proc(5): `R` running, `S` sleeping, `D` in uninterruptible sleep, `T` stopped, and so on.
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

/// The descriptor limits of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NofileLimit {
    /// The pid of the process.
    pub pid: u32,
    /// The limit in force.
    pub soft: u64,
    /// The highest value to which the process may raise the soft limit.
    pub hard: u64,
}

/// Total resource usage of all processes of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time since the start. Never decreases: processes that have ended count with the last value that was read.
    pub cpu: Duration,
    /// Resident memory. A page shared between processes counts once per process.
    pub rss_bytes: u64,
    /// Resident memory that is not mapped from files (`VmRSS` less `RssFile` of proc(5)).
    pub own_bytes: u64,
    /// Sum of the peak resident memory of each process (VmHWM). The peaks may have occurred at different times.
    pub rss_peak_bytes: u64,
    /// Size of the address space.
    pub vm_bytes: u64,
    /// The writable part of the address space (`VmData` of proc(5)): what it may use as memory, used or not.
    pub vm_data_bytes: u64,
    /// Number of open descriptors.
    pub descriptors: usize,
    /// Number of threads.
    pub threads: usize,
    /// Number of processes.
    pub processes: usize,
    /// The usage of each process.
    pub per_process: Vec<ProcessUsage>,
}

impl Usage {
    /// Name and pid of the process that has used the most CPU time since `before`.
    pub(crate) fn busiest_since(&self, before: &Usage) -> Option<String> {
        let used = |process: &ProcessUsage| {
            let same = |seen: &&ProcessUsage| seen.pid == process.pid;
            let earlier = before.per_process.iter().find(same);
            process
                .cpu
                .saturating_sub(earlier.map_or(Duration::ZERO, |seen| seen.cpu))
        };
        let busiest = self
            .per_process
            .iter()
            .max_by_key(|process| used(process))?;
        Some(format!("{} (pid {})", busiest.comm, busiest.pid))
    }
}

/// Resource usage of one process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessUsage {
    /// Its pid.
    pub pid: u32,
    /// Its name (comm).
    pub comm: String,
    /// CPU time of all its threads.
    pub cpu: Duration,
    /// Resident memory.
    pub rss_bytes: u64,
    /// Resident memory that is not mapped from files.
    pub own_bytes: u64,
    /// Peak resident memory.
    pub rss_peak_bytes: u64,
    /// Size of the address space.
    pub vm_bytes: u64,
    /// The writable part of the address space (`VmData` of proc(5)): what it may use as memory, used or not.
    pub vm_data_bytes: u64,
    /// Number of open descriptors; `None` if they may not be read.
    pub descriptors: Option<usize>,
    /// Number of threads.
    pub threads: usize,
}

/// The last CPU time that was read of each process, including ended ones, by pid and start time.
#[derive(Debug, Default)]
pub(super) struct CpuSeen(HashMap<(u32, u64), Duration>);

/// Maximum number of ended processes with an entry of their own. Beyond it their CPU time is added up in one entry,
/// because a forking server starts a process per connection.
const ENDED_MAX: usize = 4096;

impl CpuSeen {
    /// Reads the usage of these processes.
    pub(super) fn usage(&mut self, tree: &[Stat]) -> Usage {
        let mut total = Usage::default();
        for stat in tree.iter().filter(|stat| !stat.is_dead()) {
            let one = self.read(stat);
            total.rss_bytes += one.rss_bytes;
            total.own_bytes += one.own_bytes;
            total.rss_peak_bytes += one.rss_peak_bytes;
            total.vm_bytes += one.vm_bytes;
            total.vm_data_bytes += one.vm_data_bytes;
            total.descriptors += one.descriptors.unwrap_or(0);
            total.threads += one.threads;
            total.processes += 1;
            total.per_process.push(one);
        }
        self.merge_ended(tree);
        total.cpu = self.0.values().sum();
        total
    }

    fn read(&mut self, stat: &Stat) -> ProcessUsage {
        let memory = proc::memory(stat.pid).unwrap_or_default();
        ProcessUsage {
            pid: stat.pid,
            comm: stat.comm.clone(),
            cpu: self.read_cpu(stat),
            rss_bytes: memory.rss,
            own_bytes: memory.rss.saturating_sub(memory.rss_file),
            rss_peak_bytes: memory.rss_peak,
            vm_bytes: memory.vm,
            vm_data_bytes: memory.vm_data,
            descriptors: proc::descriptor_count(stat.pid),
            threads: stat.threads,
        }
    }

    /// Reads the CPU time of these processes. Returns the total, including ended processes.
    pub(super) fn cpu(&mut self, tree: &[Stat]) -> Duration {
        for stat in tree {
            self.read_cpu(stat);
        }
        self.merge_ended(tree);
        self.0.values().sum()
    }

    fn read_cpu(&mut self, stat: &Stat) -> Duration {
        let seen = self.0.entry((stat.pid, stat.start_time)).or_default();
        *seen = (*seen).max(process_cpu(stat.pid).unwrap_or_default());
        *seen
    }

    /// Adds up the ended processes under a key that no process has, once there are more than [`ENDED_MAX`].
    fn merge_ended(&mut self, tree: &[Stat]) {
        if self.0.len() <= ENDED_MAX + tree.len() {
            return;
        }
        let alive = |key: &(u32, u64)| tree.iter().any(|stat| (stat.pid, stat.start_time) == *key);
        let (kept, ended): (HashMap<_, _>, HashMap<_, _>) =
            self.0.drain().partition(|(key, _)| alive(key));
        self.0 = kept;
        self.0.insert((0, 0), ended.into_values().sum());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_of_ended_processes_is_kept() {
        let mut seen = CpuSeen::default();
        let us = proc::stat(std::process::id()).unwrap();
        let before = seen.usage(std::slice::from_ref(&us));
        assert_eq!((before.processes, before.per_process.len()), (1, 1));
        assert!(before.cpu > Duration::ZERO && before.descriptors > 2 && before.rss_peak_bytes > 0);
        let after = seen.usage(&[]);
        assert_eq!((after.processes, after.cpu), (0, before.cpu));
    }

    #[test]
    fn many_ended_processes_are_merged() {
        let mut seen = CpuSeen::default();
        for pid in 1..=5000 {
            seen.0.insert((pid, 7), Duration::from_nanos(2));
        }
        assert_eq!(seen.cpu(&[]), Duration::from_nanos(10_000));
        assert_eq!(seen.0.len(), 1);
    }
}
