//! Owns every descendant of this process, and kills them all, including those that keep forking. For a process that
//! runs others: the supervisor and the host of logins.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpgrp, getpid, kill_process, kill_process_group,
    set_child_subreaper, setsid, wait,
};

use super::proc;
use crate::sys::{close_on_exec_from, ignore, watch_children};

/// Maximum time to kill all descendants. Only a process in uninterruptible sleep takes longer; it ends as soon as its
/// system call returns.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// Keeps this process and its children running when its terminal or tcprove ends.
pub(super) fn outlive_terminal() {
    // In a session of their own, the processes do not receive the SIGINT of Ctrl-C in the terminal. Fails if this
    // process already leads a session.
    let _ = setsid();
    ignore(&[
        Signal::INT,
        Signal::TERM,
        Signal::HUP,
        Signal::QUIT,
        Signal::PIPE,
    ]);
}

/// Makes this process the parent of its orphaned descendants, and keeps it running when its terminal or tcprove ends.
/// Returns a descriptor that is readable once a child has ended.
///
/// # Errors
/// Those of prctl(2) and signalfd(2).
pub(super) fn own_descendants() -> io::Result<OwnedFd> {
    outlive_terminal();
    set_child_subreaper(Some(getpid()))?;
    // Best effort: on kernels before 5.11 the processes inherit descriptors that leaked into tcprove.
    let _ = close_on_exec_from(3);
    watch_children()
}

/// Kills and reaps until this process has no children.
///
/// A process that forks and exits faster than `/proc` can be walked is caught through its process group: the kernel
/// signals all members of a group, and none of them can fork meanwhile. A process that also changes its group with
/// every fork is caught by a tight loop over the children of this process, to which the kernel reparents every
/// orphan.
///
/// # Errors
/// `TimedOut` if a process is still alive after 10 s.
pub(super) fn kill_all(
    children: &OwnedFd,
    mut on_end: impl FnMut(Pid, WaitStatus),
) -> io::Result<()> {
    let started = Instant::now();
    let mut pass = 0u32;
    while started.elapsed() < KILL_TIMEOUT {
        // The kernel's lists of children are fast but may be incomplete; every fourth pass walks /proc instead.
        kill_tree(pass % 4 == 3);
        // A tree that is still alive after two passes is probably forking: kill orphans in a tight loop.
        let rounds = if pass < 2 { 0 } else { 100 };
        for _ in 0..rounds {
            if reap(&mut on_end) == Children::None || !kill_children() {
                break;
            }
        }
        drain_signals(children);
        if reap(&mut on_end) == Children::None {
            return Ok(());
        }
        wait_for_child(children);
        pass += 1;
    }
    let left = proc::descendants(own_pid())
        .into_iter()
        .filter(|process| !process.is_dead());
    let names: Vec<String> = left
        .map(|process| format!("{} ({})", process.pid, process.comm))
        .collect();
    let text = format!(
        "could not kill {} within {KILL_TIMEOUT:?}",
        names.join(", ")
    );
    Err(io::Error::new(io::ErrorKind::TimedOut, text))
}

/// Waits until a child ends, at most 1 ms.
fn wait_for_child(children: &OwnedFd) {
    let limit = Timespec {
        tv_sec: 0,
        tv_nsec: 1_000_000,
    };
    let mut ended = [PollFd::new(children, PollFlags::IN)];
    let _ = poll(&mut ended, Some(&limit));
}

/// Kills every descendant and its process group. A group cannot contain foreign processes: groups belong to a session,
/// and the supervisor has created its own.
fn kill_tree(by_walk: bool) {
    let listed = if by_walk {
        None
    } else {
        proc::descendants_quickly(own_pid())
    };
    let tree = listed.unwrap_or_else(|| proc::descendants(own_pid()));
    let own_group = u32::try_from(Pid::as_raw(Some(getpgrp()))).unwrap_or(0);
    let groups: BTreeSet<u32> = tree.iter().map(|process| process.pgrp).collect();
    for group in groups
        .into_iter()
        .filter(|&group| group > 1 && group != own_group)
    {
        if let Some(group) = as_pid(group) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
    for process in tree.iter().filter(|process| !process.is_dead()) {
        kill(process.pid);
    }
}

/// Kills the direct children, which include all orphans. False if there are none.
fn kill_children() -> bool {
    let own = own_pid();
    let children = proc::children_of_thread(own, own).unwrap_or_default();
    children.iter().for_each(|&pid| kill(pid));
    !children.is_empty()
}

/// Kills the process `pid`. The pid of a child cannot have been reused, because only this process reaps it. The pid of
/// a grandchild is reused only after the kernel has assigned all other pids.
fn kill(pid: u32) {
    if let Some(pid) = as_pid(pid) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn as_pid(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

/// Whether this process has children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Children {
    None,
    Some,
}

/// Reaps all children that have ended and calls `on_end` for each.
pub(super) fn reap(on_end: &mut impl FnMut(Pid, WaitStatus)) -> Children {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => on_end(pid, status),
            Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return Children::Some,
            Err(_) => return Children::None,
        }
    }
}

/// Reads all pending signals, so that the descriptor becomes readable again only when another child ends.
pub(super) fn drain_signals(children: &OwnedFd) {
    let mut siginfo = [0u8; 512];
    while matches!(rustix::io::read(children, &mut siginfo), Ok(count) if count > 0) {}
}

pub(super) fn own_pid() -> u32 {
    u32::try_from(Pid::as_raw(Some(getpid()))).unwrap_or(0)
}
