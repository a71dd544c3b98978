//! Killing every descendant of this process, forkers included. Used by the supervisor alone.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpgrp, getpid, kill_process, kill_process_group, wait,
};

use super::proc;

/// How long to go on. Only a process stuck in the kernel outlasts it; that one is dead as soon as it returns.
const PERSISTENCE: Duration = Duration::from_secs(10);

/// Kills and reaps until the kernel says that this process has no children left.
///
/// A process that forks and dies faster than `/proc` can be walked is caught by its group: the kernel kills
/// a group as a whole and lets no member fork meanwhile. One that also changes its group each time is met
/// in a tight loop over our own list of children, where the kernel puts every orphan.
///
/// # Errors
/// `TimedOut` when something is still alive at the end of all patience.
pub(super) fn end_all(children: &OwnedFd, mut tell: impl FnMut(Pid, WaitStatus)) -> io::Result<()> {
    let started = Instant::now();
    let mut pass = 0u32;
    while started.elapsed() < PERSISTENCE {
        // The kernel's own lists are at hand at once and nearly always complete; the walk makes sure.
        kill_tree(pass % 4 == 3);
        // A tree that does not die at once may be forking: then be quicker than it for a while.
        let rounds = if pass < 2 { 0 } else { 100 };
        for _ in 0..rounds {
            if reap(&mut tell) == Left::Nothing || !kill_orphans() {
                break;
            }
        }
        drain_signals(children);
        if reap(&mut tell) == Left::Nothing {
            return Ok(());
        }
        wait_for_an_end(children);
        pass += 1;
    }
    let left = proc::descendants(own_pid())
        .into_iter()
        .filter(|process| !process.is_dead());
    let names: Vec<String> = left
        .map(|process| format!("{} ({})", process.pid, process.comm))
        .collect();
    let text = format!("could not end {} within {PERSISTENCE:?}", names.join(", "));
    Err(io::Error::new(io::ErrorKind::TimedOut, text))
}

/// A millisecond at most.
fn wait_for_an_end(children: &OwnedFd) {
    let limit = Timespec {
        tv_sec: 0,
        tv_nsec: 1_000_000,
    };
    let mut ended = [PollFd::new(children, PollFlags::IN)];
    let _ = poll(&mut ended, Some(&limit));
}

/// Every process found, and every group one of them is in. Groups cannot reach beyond the tree, since
/// they lie within a session and ours was made by us.
fn kill_tree(by_walk: bool) {
    let quickly = if by_walk {
        None
    } else {
        proc::descendants_quickly(own_pid())
    };
    let tree = quickly.unwrap_or_else(|| proc::descendants(own_pid()));
    let ours = u32::try_from(Pid::as_raw(Some(getpgrp()))).unwrap_or(0);
    let groups: BTreeSet<u32> = tree.iter().map(|process| process.pgrp).collect();
    for group in groups
        .into_iter()
        .filter(|&group| group > 1 && group != ours)
    {
        if let Some(group) = as_pid(group) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
    for process in tree.iter().filter(|process| !process.is_dead()) {
        kill(process.pid);
    }
}

/// Kills the direct children. False if there are none to be seen.
fn kill_orphans() -> bool {
    let us = own_pid();
    let orphans = proc::children_of_thread(us, us).unwrap_or_default();
    orphans.iter().for_each(|&pid| kill(pid));
    !orphans.is_empty()
}

/// Safe from recycled numbers for children: only we reap them. A grandchild's number may be given anew
/// between the walk and here only after all other numbers have been used.
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
pub(super) enum Left {
    Nothing,
    Something,
}

/// Reaps whatever has ended and tells of each.
pub(super) fn reap(tell: &mut impl FnMut(Pid, WaitStatus)) -> Left {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => tell(pid, status),
            Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return Left::Something,
            Err(_) => return Left::Nothing,
        }
    }
}

/// Reads all pending signals, so that the descriptor becomes readable only when a child ends.
pub(super) fn drain_signals(children: &OwnedFd) {
    let mut siginfo = [0u8; 512];
    while matches!(rustix::io::read(children, &mut siginfo), Ok(count) if count > 0) {}
}

/// The pid of this process.
fn own_pid() -> u32 {
    u32::try_from(Pid::as_raw(Some(getpid()))).unwrap_or(0)
}
