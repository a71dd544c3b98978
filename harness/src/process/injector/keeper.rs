//! The keeper: a process that ends the processes of a server with a filter if tcprove is killed together with the
//! supervisor.
//!
//! Once nobody holds the listener of a filter, every call that the filter names fails with ENOSYS, and programs that
//! try again at once would fill disks with their logs. So the keeper holds it too. When tcprove is gone, the keeper gives
//! the supervisor time to end the tree, with all calls proceeding. What is left then is killed: the processes that have made
//! a call of the filter, of which tcprove tells the keeper, those that make another one, and those with the variable of the
//! tree in their environment. The keeper ends as soon as no process has the filter any more.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::SendFlags;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use super::link;
use crate::process::ending::{outlive_terminal, own_pid};
use crate::process::proc;
use crate::sys::{CallListener, CallResult, name_process};

/// The hidden first argument that makes the tcprove binary a keeper.
pub(in crate::process) const KEEP: &str = "__keep";

/// Time for the supervisor to end the tree.
const SUPERVISOR_TIME: Duration = Duration::from_secs(12);
/// Time between two looks for processes that are left: it grows.
const LOOK: Duration = Duration::from_millis(5);
const LOOK_MAX: Duration = Duration::from_secs(1);

/// Starts a keeper with this executable. It ends when the returned socket is closed and no process has the filter.
/// `supervisor` is the process that ends the tree, `id` the entry of the environment that all processes of the tree
/// share.
///
/// # Errors
/// It cannot be started.
pub(super) fn start(
    executable: &Path,
    supervisor: u32,
    id: &str,
    listener: &CallListener,
) -> std::io::Result<(UnixStream, Child)> {
    let (ours, theirs) = UnixStream::pair()?;
    let keeper = Command::new(executable)
        .args([KEEP, &supervisor.to_string(), id])
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    link::send(&ours, listener.as_fd())?;
    Ok((ours, keeper))
}

/// Runs this process as a keeper, with the arguments after [`KEEP`]. `main` must call it before it starts any thread.
pub(in crate::process) fn keep(arguments: impl IntoIterator<Item = OsString>) -> ! {
    let mut arguments = arguments.into_iter();
    let mut next = || arguments.next()?.into_string().ok();
    let supervisor = next().and_then(|pid| Pid::from_raw(pid.parse().ok()?));
    let (Some(supervisor), Some(id)) = (supervisor, next()) else {
        eprintln!("{KEEP} is for internal use: SUPERVISOR NAME=VALUE");
        std::process::exit(2);
    };
    outlive_terminal();
    name_process(c"call-keeper");
    let supervisor = pidfd_open(supervisor, PidfdFlags::empty()).ok();
    let control = std::io::stdin();
    if let Ok((bytes, Some(listener))) = link::receive(&control)
        && let Ok(listener) = CallListener::received(&bytes, Some(listener))
    {
        let mut tree = Tree {
            entry: id,
            callers: HashMap::new(),
        };
        tree.until_closed(&control, &listener);
        tree.end(&listener, supervisor.as_ref());
    }
    std::process::exit(0)
}

/// Tells the keeper of a thread that makes a call. Best effort: a keeper that is far behind is not waited for.
pub(super) fn tell(control: &UnixStream, thread: u32) {
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let _ = rustix::net::send(control, &thread.to_ne_bytes(), flags);
}

/// The processes of a server, as far as they are known.
struct Tree {
    /// The entry of the environment that they share.
    entry: String,
    /// The start times of the processes that have made calls, by their pids.
    callers: HashMap<u32, u64>,
}

impl Tree {
    /// Waits until tcprove has closed its end, or no process has the filter any more. Meanwhile notes who makes calls.
    fn until_closed(&mut self, control: impl AsFd, listener: &CallListener) {
        let mut threads = [0; 4096];
        loop {
            let mut sources = [
                PollFd::new(&control, PollFlags::IN),
                // Only the end of the last process is reported.
                PollFd::new(listener, PollFlags::empty()),
            ];
            match poll(&mut sources, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
            if !sources[1].revents().is_empty() {
                return;
            }
            if sources[0].revents().is_empty() {
                continue;
            }
            match rustix::io::read(&control, &mut threads) {
                Ok(count @ 1..) => self.note(&threads[..count]),
                Ok(0) => return,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }

    /// Notes the processes of these threads, 4 bytes each.
    fn note(&mut self, threads: &[u8]) {
        let numbers = threads
            .chunks_exact(4)
            .filter_map(|bytes| bytes.first_chunk());
        for thread in numbers.map(|bytes| u32::from_ne_bytes(*bytes)) {
            let pid = proc::process_of(thread).unwrap_or(thread);
            if let Some(stat) = proc::stat(pid) {
                self.callers.insert(pid, stat.start_time);
            }
        }
    }

    /// Answers calls until no process has the filter. Kills once the supervisor has ended, or has had its time.
    fn end(&self, listener: &CallListener, supervisor: Option<&OwnedFd>) {
        let begun = Instant::now();
        let mut look = LOOK;
        loop {
            let limit = Timespec {
                tv_sec: i64::try_from(look.as_secs()).unwrap_or(1),
                tv_nsec: i64::from(look.subsec_nanos()),
            };
            let mut sources = vec![PollFd::new(listener, PollFlags::IN)];
            // Once it has ended, it would end every wait at once.
            let is_there = supervisor.filter(|supervisor| !has_ended(supervisor));
            sources.extend(is_there.map(|process| PollFd::new(process, PollFlags::IN)));
            let polled = poll(&mut sources, Some(&limit));
            if !matches!(polled, Ok(_) | Err(rustix::io::Errno::INTR)) {
                return;
            }
            let calls = sources[0].revents();
            let kills = is_there.is_none() || begun.elapsed() >= SUPERVISOR_TIME;
            if calls.contains(PollFlags::IN) {
                if let Ok(call) = listener.receive() {
                    if kills {
                        kill(call.thread);
                    }
                    listener.answer(call.id, CallResult::Continue);
                }
            } else if calls.contains(PollFlags::HUP) {
                return;
            } else if kills {
                self.kill_all();
                look = (look * 2).min(LOOK_MAX);
            }
        }
    }

    fn kill_all(&self) {
        for (&pid, &started) in &self.callers {
            if proc::stat(pid).is_some_and(|stat| stat.start_time == started) {
                kill(pid);
            }
        }
        let own = own_pid();
        let left = proc::with_environment(&self.entry);
        let left = left.iter().filter(|process| process.pid != own);
        left.for_each(|process| kill(process.pid));
    }
}

fn has_ended(process: &OwnedFd) -> bool {
    let mut sources = [PollFd::new(process, PollFlags::IN)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    matches!(poll(&mut sources, Some(&now)), Ok(count) if count > 0)
}

/// Kills the process of this thread.
fn kill(thread: u32) {
    if let Some(pid) = i32::try_from(thread).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
}
