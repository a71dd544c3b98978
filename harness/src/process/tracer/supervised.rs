//! The events of traced processes, as the supervisor handles them.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::Path;

use rustix::process::{Pid, WaitOptions, WaitStatus, wait};

use super::log::{TraceLog, TraceState};
use super::plan::Places;
use super::space::Space;
use crate::process::ending::Children;
use crate::process::proc;
use crate::sys::{BREAKPOINTS, TraceStop, Tracee};

/// Maximum rounds of looking for threads that are not traced yet; each finds those of the threads before.
const ROUNDS_MAX: usize = 20;

/// The tracer of all processes of a server. It must stay on the thread that has made it.
#[derive(Debug)]
pub(in crate::process) struct Tracer {
    places: Places,
    log: TraceLog,
    /// By the id of a process.
    spaces: HashMap<u32, Space>,
    /// The process of each thread that has reached a place.
    processes: HashMap<u32, u32>,
    /// The places that were reached, in this order.
    hits: Vec<u32>,
    is_hit: Vec<bool>,
    armed: u32,
    /// New tasks whose creation was not reported yet: they wait, to be cleaned before they run.
    early: HashSet<u32>,
    /// All threads that exist, as far as their creation was reported.
    known: HashSet<u32>,
}

impl Tracer {
    /// Traces the process `main` and everything that it has started. `files` are those of the plan and of the log. If it is not
    /// possible, the log says so.
    pub(in crate::process) fn begin(files: &str, main: u32) -> Option<Self> {
        let (plan, log) = files.split_once(':')?;
        let places = Places::parse(&std::fs::read(Path::new(plan)).ok()?)?;
        let log = File::options().read(true).write(true).open(log).ok()?;
        let mut tracer = Self {
            is_hit: vec![false; places.left_out.len()],
            places,
            log: TraceLog::open(&log).ok()?,
            spaces: HashMap::new(),
            processes: HashMap::new(),
            hits: Vec::new(),
            armed: 0,
            early: HashSet::new(),
            known: HashSet::new(),
        };
        match tracer.seize_all(main) {
            Ok(()) => {
                tracer.log.set_state(TraceState::Traced(tracer.armed));
                Some(tracer)
            }
            Err(error) => {
                let number = error.raw_os_error().unwrap_or(libc::ENOSYS);
                tracer.log.set_state(TraceState::Refused(number));
                None
            }
        }
    }

    /// Seizes every thread, then arms. Nothing stops meanwhile.
    fn seize_all(&mut self, main: u32) -> io::Result<()> {
        if !BREAKPOINTS {
            return Err(io::ErrorKind::Unsupported.into());
        }
        for _ in 0..ROUNDS_MAX {
            let before = self.known.len();
            for thread in processes_of(main).into_iter().flat_map(threads) {
                if self.known.insert(thread)
                    && let Err(error) = Tracee(thread).seize()
                    && thread == main
                {
                    // Of any other thread it means that it is traced already: it was created by one that is.
                    return Err(error);
                }
            }
            if self.known.len() == before {
                break;
            }
        }
        for pid in processes_of(main) {
            self.arm(pid);
        }
        Ok(())
    }

    /// Arms the program that this process executes now.
    fn arm(&mut self, pid: u32) {
        let (places, is_hit) = (&self.places, &self.is_hit);
        if !self.spaces.contains_key(&pid) {
            let Ok(space) = Space::open(pid, places, self.hits.len()) else {
                return;
            };
            self.spaces.insert(pid, space);
        }
        let wanted = |number: u32| {
            let number = number as usize;
            !places.left_out[number] && !is_hit[number]
        };
        if let Some(space) = self.spaces.get_mut(&pid) {
            self.armed += space.arm(pid, places, wanted);
            self.log.set_state(TraceState::Traced(self.armed));
        }
    }

    /// Handles everything that has happened, and calls `on_end` for each process that has ended.
    pub(in crate::process) fn reap(
        &mut self,
        on_end: &mut impl FnMut(Pid, WaitStatus),
    ) -> Children {
        loop {
            match wait(WaitOptions::NOHANG | WaitOptions::from_bits_retain(ALL)) {
                Ok(Some((pid, status))) => {
                    let id = u32::try_from(pid.as_raw_pid()).unwrap_or(0);
                    match TraceStop::of(status.as_raw()) {
                        Some(stop) => self.stopped(id, stop),
                        None => {
                            self.ended(id);
                            on_end(pid, status);
                        }
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Ok(None) => return Children::Some,
                Err(_) => return Children::None,
            }
        }
    }

    fn ended(&mut self, id: u32) {
        self.spaces.remove(&id);
        self.processes.remove(&id);
        self.known.remove(&id);
        self.early.remove(&id);
        // The one that has ended may have created them.
        for waiting in self.early.drain() {
            self.known.insert(waiting);
            let _ = Tracee(waiting).go_on(0);
        }
    }

    /// Lets a stopped thread go on. An error means that it was killed meanwhile.
    fn stopped(&mut self, id: u32, stop: TraceStop) {
        let tracee = Tracee(id);
        let _ = match stop {
            TraceStop::Signal(libc::SIGTRAP) if tracee.is_at_breakpoint() => {
                match self.reached(id) {
                    true => tracee.go_on(0),
                    false => tracee.go_on(libc::SIGTRAP),
                }
            }
            TraceStop::Signal(signal) => tracee.go_on(signal),
            TraceStop::Group => tracee.stay_stopped(),
            TraceStop::Forked => {
                if let Ok(child) = tracee.created() {
                    self.forked(id, child.0);
                    self.is_known(child.0);
                }
                tracee.go_on(0)
            }
            TraceStop::Cloned => {
                if let Ok(thread) = tracee.created() {
                    self.is_known(thread.0);
                }
                tracee.go_on(0)
            }
            TraceStop::Attached => {
                if !self.known.contains(&id) {
                    self.early.insert(id);
                    return;
                }
                tracee.go_on(0)
            }
            TraceStop::Executed => {
                self.spaces.remove(&id);
                self.processes.retain(|_, process| *process != id);
                self.arm(id);
                tracee.go_on(0)
            }
            TraceStop::Other => tracee.go_on(0),
        };
    }

    /// The creation of this task was reported: it may run.
    fn is_known(&mut self, id: u32) {
        self.known.insert(id);
        if self.early.remove(&id) {
            let _ = Tracee(id).go_on(0);
        }
    }

    /// A process has forked: what was hit since its last fork is removed in both, so that a server with a process for each
    /// client pays only once.
    fn forked(&mut self, thread: u32, child: u32) {
        let parent = self.process_of(thread);
        let Some(space) = self.spaces.get_mut(&parent) else {
            return;
        };
        let forked = space.forked(child);
        for number in &self.hits[space.cleaned..] {
            space.restore(*number, &self.places);
            if let Ok(forked) = &forked {
                forked.restore(*number, &self.places);
            }
        }
        space.cleaned = self.hits.len();
        if let Ok(mut forked) = forked {
            forked.cleaned = self.hits.len();
            self.spaces.insert(child, forked);
        }
    }

    fn process_of(&mut self, thread: u32) -> u32 {
        if self.spaces.contains_key(&thread) {
            return thread;
        }
        *self
            .processes
            .entry(thread)
            .or_insert_with(|| group_of(thread).unwrap_or(thread))
    }

    /// A thread has reached a breakpoint. False if it is not one of ours.
    fn reached(&mut self, thread: u32) -> bool {
        let process = self.process_of(thread);
        if !self.spaces.contains_key(&process) {
            let Ok(mut space) = Space::open(process, &self.places, self.hits.len()) else {
                return false;
            };
            // It has the breakpoints of the process that it was created by.
            space.arm(process, &self.places, |_| false);
            self.spaces.insert(process, space);
        }
        let (Some(space), places) = (self.spaces.get(&process), &self.places) else {
            return false;
        };
        let mut reached = None;
        let moved = Tracee(thread).step_back(|address| {
            reached = space.place_at(address, places);
            reached.is_some_and(|number| space.restore(number, places))
        });
        let (Ok(true), Some(number)) = (moved, reached) else {
            return false;
        };
        self.is_hit[number as usize] = true;
        self.hits.push(number);
        self.log.append(number);
        true
    }

    /// Does what tcprove asks for: arms places again, and mappings that are new.
    pub(in crate::process) fn answer(&mut self) {
        let Some(again) = self.log.requested() else {
            return;
        };
        let pids: Vec<u32> = self.spaces.keys().copied().collect();
        if again.is_empty() {
            pids.iter().for_each(|pid| self.arm(*pid));
        }
        for space in self.spaces.values() {
            let numbers = again.iter();
            numbers.for_each(|number| space.arm_again(*number, &self.places));
        }
        self.log.answer();
    }
}

/// Wait for threads too.
const ALL: u32 = libc::__WALL.cast_unsigned();

/// The process and its descendants.
fn processes_of(main: u32) -> Vec<u32> {
    let mut all = vec![main];
    all.extend(
        proc::descendants(std::process::id())
            .iter()
            .map(|one| one.pid),
    );
    all.sort_unstable();
    all.dedup();
    all
}

fn threads(pid: u32) -> Vec<u32> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/task"));
    let names = entries.into_iter().flatten().flatten();
    names
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// The process that a thread belongs to.
fn group_of(thread: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    line.trim().parse().ok()
}
