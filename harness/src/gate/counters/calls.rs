//! Parser for the system calls that valgrind reports with `--trace-syscalls=yes`: a line for each, such as
//! `SYSCALL[7,1](  1) sys_write ( 1, 0x4a2b040, 2 ) --> [async] ...`, which a second part may follow when the call returns.

use std::collections::{HashMap, HashSet};

use super::graph::{Function, Graph};

/// The system calls of the processes of a file.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Calls {
    /// How often each was called, by name.
    pub(super) counts: HashMap<String, u64>,
    /// The processes: a forked one writes to the file of its parent.
    pub(super) pids: HashSet<u32>,
}

/// Reads a file. Lines that are no system call are left out.
pub(super) fn parse(text: &str) -> Calls {
    let mut calls = Calls::default();
    for (pid, name) in text.lines().filter_map(call) {
        calls.pids.insert(pid);
        *calls.counts.entry(name.to_owned()).or_default() += 1;
    }
    calls
}

impl Calls {
    /// Each call as a function of the kernel.
    pub(super) fn graph(&self) -> Graph {
        let function = |name: &String| Function {
            object: "kernel".to_owned(),
            name: name.clone(),
        };
        let counts = self.counts.iter();
        Graph {
            own: counts
                .map(|(name, count)| (function(name), [*count as f64, 0.0]))
                .collect(),
            ..Graph::default()
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// The process and the name of the call that begins in this line. The line of its result has no name.
fn call(line: &str) -> Option<(u32, &str)> {
    let (pid, rest) = line.strip_prefix("SYSCALL[")?.split_once(',')?;
    let (_, call) = rest.split_once(')')?;
    let name = call.trim_start().split([' ', '(']).next()?;
    let is_name = name.starts_with(|first: char| first.is_ascii_lowercase());
    let name = name.strip_prefix("sys_").unwrap_or(name);
    is_name.then_some((pid.parse().ok()?, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_name() {
        let text = "==7== Command: ./server
SYSCALL[7,1](  1) sys_write ( 1, 0x4a2b040, 2 ) --> [async] ... 
SYSCALL[7,1](  1) ... [async] --> Success(0x2) 
SYSCALL[8,2](232) sys_epoll_wait ( 4, 0x1ffefff0, 64, -1 ) --> [async] ... 
SYSCALL[8,2](  1) sys_write ( 1, 0x4a2b040, 2 )[sync] --> Success(0x2) 
SYSCALL[8,2](202) futex ( 0x1, 0 ) --> [async] ... 
SYSCALL[8,2](  0) sys_re";
        let calls = parse(text);
        assert_eq!(calls.pids, HashSet::from([7, 8]));
        let count = |name: &str| calls.counts.get(name).copied().unwrap_or(0);
        assert_eq!(
            ["write", "epoll_wait", "futex"].map(count),
            [2, 1, 1],
            "{calls:?}"
        );
        assert_eq!(calls.total(), 5);
        assert_eq!(calls.graph().own.len(), 4);
    }
}
