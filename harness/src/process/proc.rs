//! Readers of `/proc`. Each of them expects that the process may end at any moment.

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::MetadataExt;
use std::{fs, io};

/// The fields of `/proc/PID/stat` that are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) pid: u32,
    pub(crate) comm: String,
    pub(crate) state: char,
    pub(crate) ppid: u32,
    pub(crate) pgrp: u32,
    /// The kernel's flags of the main thread.
    flags: u64,
    pub(crate) threads: usize,
    /// Start time in clock ticks since boot. Together with the pid it identifies a process uniquely.
    pub(crate) start_time: u64,
}

impl Stat {
    /// Parses one line. The name may contain spaces and parentheses: it ends at the last `)`.
    fn parse(line: &[u8]) -> Option<Stat> {
        let open = memchr::memchr(b'(', line)?;
        let close = memchr::memrchr(b')', line)?;
        let pid = std::str::from_utf8(line.get(..open)?)
            .ok()?
            .trim()
            .parse()
            .ok()?;
        let comm = String::from_utf8_lossy(line.get(open + 1..close)?).into_owned();
        let rest = std::str::from_utf8(line.get(close + 1..)?).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // Fields are numbered as in proc(5); `rest` begins with field 3.
        let number = |at: usize| fields.get(at - 3).and_then(|text| text.parse::<u64>().ok());
        Some(Stat {
            pid,
            comm,
            state: fields.first()?.chars().next()?,
            ppid: u32::try_from(number(4)?).ok()?,
            pgrp: u32::try_from(number(5)?).unwrap_or(0),
            flags: number(9)?,
            threads: usize::try_from(number(20)?).ok()?,
            start_time: number(22)?,
        })
    }

    /// Whether the process has ended, reaped or not.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }

    /// Whether the process has ended or is about to: the kernel takes away what it holds, one after the other.
    pub(crate) fn is_ending(&self) -> bool {
        /// `PF_EXITING` of the kernel's `sched.h`.
        const EXITING: u64 = 4;
        self.is_dead() || self.flags & EXITING != 0
    }
}

pub(crate) fn stat(pid: u32) -> Option<Stat> {
    Stat::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// The process of this thread.
pub(crate) fn process_of(thread: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    line.trim().parse().ok()
}

/// Every process of the machine.
fn all() -> Vec<Stat> {
    let Ok(folder) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = folder
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(stat).collect()
}

/// All descendants of `root` including zombies, parents first. Walks over all processes, and repeats the walk up to
/// four times if a parent ended meanwhile: complete unless the tree changes all the time.
pub(crate) fn descendants(root: u32) -> Vec<Stat> {
    let mut snapshot = all();
    for _ in 0..4 {
        let pids: HashSet<u32> = snapshot.iter().map(|process| process.pid).collect();
        if snapshot
            .iter()
            .all(|process| process.ppid == 0 || pids.contains(&process.ppid))
        {
            break;
        }
        snapshot = all();
    }
    below(root, snapshot)
}

fn below(root: u32, snapshot: Vec<Stat>) -> Vec<Stat> {
    let mut children: HashMap<u32, Vec<Stat>> = HashMap::new();
    for process in snapshot {
        children.entry(process.ppid).or_default().push(process);
    }
    let mut found = children.remove(&root).unwrap_or_default();
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|process| process.pid) {
        found.extend(children.remove(&parent).unwrap_or_default());
        next += 1;
    }
    found
}

/// As [`descendants`], but through the kernel's lists of children: the cost depends on the size of the tree, not on the
/// number of processes of the machine. The kernel may omit a child while a sibling ends. `None` if the kernel is built
/// without these lists.
pub(crate) fn descendants_quickly(root: u32) -> Option<Vec<Stat>> {
    let mut pids = children_of(root)?;
    let mut next = 0;
    while let Some(&parent) = pids.get(next) {
        pids.extend(children_of(parent).unwrap_or_default());
        next += 1;
    }
    Some(pids.into_iter().filter_map(stat).collect())
}

/// The children of all threads of `pid`. `None` if it has ended or the kernel has no such lists.
fn children_of(pid: u32) -> Option<Vec<u32>> {
    let mut found = children_of_thread(pid, pid)?;
    // The link count of a folder is two plus its subfolders, so three means a single thread.
    let folder = format!("/proc/{pid}/task");
    if fs::metadata(&folder).is_ok_and(|task| task.nlink() == 3) {
        return Some(found);
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let thread = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok());
        if let Some(thread) = thread.filter(|&thread| thread != pid) {
            found.extend(children_of_thread(pid, thread).unwrap_or_default());
        }
    }
    Some(found)
}

/// The children of one thread. Cheap enough for a tight loop.
pub(crate) fn children_of_thread(pid: u32, thread: u32) -> Option<Vec<u32>> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{thread}/children")).ok()?;
    Some(
        text.split_ascii_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .collect(),
    )
}

/// The inodes of all open sockets of `pid`.
///
/// # Errors
/// `PermissionDenied` for a process that has changed its user or is not dumpable.
pub(crate) fn socket_inodes(pid: u32) -> io::Result<Vec<u32>> {
    let mut inodes = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        let Ok(link) = fs::read_link(entry?.path()) else {
            continue;
        };
        let number = |text: &str| {
            text.strip_prefix("socket:[")?
                .strip_suffix(']')?
                .parse::<u32>()
                .ok()
        };
        inodes.extend(link.to_str().and_then(number));
    }
    Ok(inodes)
}

/// Whether `pid` has an io_uring open, as far as `/proc` may be read.
pub(super) fn has_rings(pid: u32) -> bool {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    let mut links = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links.any(|link| link.as_os_str() == "anon_inode:[io_uring]")
}

/// The (pid, comm) of every process that has this socket open, as far as `/proc` may be read.
pub(crate) fn holders_of(inode: u32) -> Vec<(u32, String)> {
    let holds =
        |process: &Stat| socket_inodes(process.pid).is_ok_and(|inodes| inodes.contains(&inode));
    all()
        .into_iter()
        .filter(holds)
        .map(|process| (process.pid, process.comm))
        .collect()
}

/// The number of open descriptors of `pid`.
pub(crate) fn descriptor_count(pid: u32) -> Option<usize> {
    let folder = format!("/proc/{pid}/fd");
    // Since Linux 6.2 the size of the folder is the count; before, it is always 0.
    match fs::metadata(&folder).ok()?.size() {
        0 => Some(fs::read_dir(folder).ok()?.count()),
        count => usize::try_from(count).ok(),
    }
}

/// Memory of one process, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) rss: u64,
    /// The part of `rss` that is mapped from files, such as the program itself. It depends on the page cache.
    pub(crate) rss_file: u64,
    pub(crate) rss_peak: u64,
    pub(crate) vm: u64,
    /// The part of `vm` that is writable and belongs to this process alone: what it may use as memory.
    pub(crate) vm_data: u64,
}

pub(crate) fn memory(pid: u32) -> Option<Memory> {
    Some(parse_memory(
        &fs::read_to_string(format!("/proc/{pid}/status")).ok()?,
    ))
}

fn parse_memory(status: &str) -> Memory {
    let mut memory = Memory::default();
    for line in status.lines() {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let field = match name {
            "VmRSS" => &mut memory.rss,
            "RssFile" => &mut memory.rss_file,
            "VmHWM" => &mut memory.rss_peak,
            "VmSize" => &mut memory.vm,
            "VmData" => &mut memory.vm_data,
            _ => continue,
        };
        let kib = value
            .trim()
            .trim_end_matches("kB")
            .trim()
            .parse::<u64>()
            .unwrap_or(0);
        *field = kib.saturating_mul(1024);
    }
    memory
}

/// The threads of `pid`; none once it has ended.
fn threads(pid: u32) -> impl Iterator<Item = Stat> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    threads
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|thread| Stat::parse(&fs::read(thread.path().join("stat")).ok()?))
}

/// Whether a thread of `pid` runs or waits for a CPU.
pub(crate) fn is_runnable(pid: u32) -> bool {
    threads(pid).any(|thread| thread.state == 'R')
}

/// Whether all threads of `pid` are stopped. The state of the process is that of its main thread; another one may be in a system
/// call, and return from it, for a moment longer.
pub(crate) fn is_stopped(pid: u32) -> bool {
    threads(pid).all(|thread| matches!(thread.state, 'T' | 't') || thread.is_dead())
}

/// Context switches of all existing threads of a process.
pub(crate) fn context_switches(pid: u32) -> u64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return 0;
    };
    let status = threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok());
    status.map(|status| parse_context_switches(&status)).sum()
}

/// The voluntary plus the involuntary context switches in a `/proc/PID/status`.
pub(crate) fn parse_context_switches(status: &str) -> u64 {
    let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
    let figures = lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    figures.sum()
}

/// The descriptor limits (soft, hard) of `pid`.
pub(crate) fn nofile(pid: u32) -> Option<(u64, u64)> {
    limit(pid, "Max open files")
}

/// The limits (soft, hard) of `pid` on the number of threads of its user.
pub(crate) fn nproc(pid: u32) -> Option<(u64, u64)> {
    limit(pid, "Max processes")
}

fn limit(pid: u32, name: &str) -> Option<(u64, u64)> {
    parse_limit(
        &fs::read_to_string(format!("/proc/{pid}/limits")).ok()?,
        name,
    )
}

fn parse_limit(limits: &str, name: &str) -> Option<(u64, u64)> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    let mut values = line
        .split_ascii_whitespace()
        .map(|text| text.parse::<u64>().unwrap_or(u64::MAX));
    Some((values.next()?, values.next()?))
}

/// Every process whose initial environment contains the entry `NAME=value`.
pub(crate) fn with_environment(entry: &str) -> Vec<Stat> {
    let has = |process: &Stat| {
        fs::read(format!("/proc/{}/environ", process.pid)).is_ok_and(|environ| {
            environ
                .split(|&byte| byte == 0)
                .any(|item| item == entry.as_bytes())
        })
    };
    all().into_iter().filter(has).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_spaces_and_parentheses() {
        let mut line =
            b"12 (a (b) c) d) S 3 4 4 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 777 1 2".to_vec();
        let stat = Stat::parse(&line).unwrap();
        assert_eq!(
            (
                stat.pid,
                stat.ppid,
                stat.pgrp,
                stat.threads,
                stat.start_time
            ),
            (12, 3, 4, 9, 777)
        );
        assert_eq!((stat.comm.as_str(), stat.state), ("a (b) c) d", 'S'));
        line.truncate(30);
        assert_eq!(Stat::parse(&line), None);
    }

    #[test]
    fn comm_that_is_not_utf8() {
        let stat = Stat::parse(b"1 (\xff\n) Z 1 1 1 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 5 1").unwrap();
        assert!(stat.is_dead());
        assert_eq!(stat.comm, "\u{fffd}\n");
    }

    #[test]
    fn memory_and_limits() {
        let memory = parse_memory(
            "Name:\tx\nVmPeak:\t 9 kB\nVmSize:\t  20 kB\nVmHWM:\t 8 kB\nVmRSS:\t4 kB\nRssFile:\t 1 kB\nVmData:\t 3 kB\n",
        );
        assert_eq!(
            memory,
            Memory {
                rss: 4096,
                rss_file: 1024,
                rss_peak: 8192,
                vm: 20480,
                vm_data: 3072,
            }
        );
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024        unlimited  files\n";
        assert_eq!(
            parse_limit(limits, "Max open files"),
            Some((1024, u64::MAX))
        );
    }

    #[test]
    fn reads_this_process() {
        let pid = std::process::id();
        assert_eq!(stat(pid).unwrap().pid, pid);
        assert!(descriptor_count(pid).unwrap() >= 3);
        assert!(memory(pid).unwrap().rss > 100_000);
        assert!(nofile(pid).unwrap().0 > 0);
    }

    #[test]
    fn both_walks_find_a_child() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let us = std::process::id();
        assert!(
            descendants(us)
                .iter()
                .any(|process| process.pid == child.id())
        );
        if let Some(found) = descendants_quickly(us) {
            assert!(found.iter().any(|process| process.pid == child.id()));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
