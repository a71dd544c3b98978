//! The host: a process that starts logins for tcprove, one request after the other on its stdin.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, WaitStatus, kill_process, kill_process_group};

use super::request::{self, Ended, Request};
use crate::process::ending::{drain_signals, kill_all, own_descendants, reap};
use crate::process::{Exit, proc};
use crate::sys::{ChildSetup, prepare_child};

/// The hidden first argument that makes the tcprove binary a host.
pub(in crate::process) const LOG_IN: &str = "__log_in";

/// Maximum number of programs at the same time. Others wait.
const RUNNING_MAX: usize = 32;

/// Runs this process as a host, with the arguments after [`LOG_IN`]. `main` must call it before it starts any thread.
pub(in crate::process) fn log_in(arguments: impl IntoIterator<Item = OsString>) -> ! {
    let limits = arguments.into_iter().next().and_then(|limits| {
        let (soft, hard) = limits.to_str()?.split_once(':')?;
        Some((soft.parse().ok()?, hard.parse().ok()?))
    });
    match Host::new(limits).and_then(Host::run) {
        Ok(()) => std::process::exit(0),
        Err(error) => {
            eprintln!("tcprove's host of logins: {error}");
            std::process::exit(70);
        }
    }
}

/// A host that is running.
struct Host {
    nofile: Option<(u64, u64)>,
    children: OwnedFd,
    waiting: VecDeque<Request>,
    running: HashMap<i32, Program>,
}

/// A program that is running.
struct Program {
    /// `None` once tcprove no longer wants it.
    end: Option<OwnedFd>,
}

impl Host {
    fn new(nofile: Option<(u64, u64)>) -> io::Result<Host> {
        Ok(Host {
            nofile,
            children: own_descendants()?,
            waiting: VecDeque::new(),
            running: HashMap::new(),
        })
    }

    /// Runs until tcprove closes its end, and then kills everything.
    fn run(mut self) -> io::Result<()> {
        let stdin = io::stdin();
        loop {
            let (has_request, given_up) = self.wait(&stdin)?;
            given_up.into_iter().for_each(|pid| self.give_up(pid));
            drain_signals(&self.children);
            self.reap();
            if has_request {
                match request::receive(&stdin) {
                    Ok(Some(request)) => self.waiting.push_back(request),
                    Ok(None) => return kill_all(&self.children, |_, _| {}),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => eprintln!("tcprove's host of logins: {error}"),
                }
            }
            while self.running.len() < RUNNING_MAX
                && let Some(request) = self.waiting.pop_front()
            {
                self.start(request);
            }
        }
    }

    /// Waits for a request, the end of a child, or the end of tcprove's interest in a program. Returns whether there is a
    /// request, and the programs of the last kind.
    fn wait(&self, control: impl AsFd) -> io::Result<(bool, Vec<i32>)> {
        let wanted: Vec<(i32, &OwnedFd)> = self
            .running
            .iter()
            .filter_map(|(pid, program)| Some((*pid, program.end.as_ref()?)))
            .collect();
        let mut sources = vec![
            PollFd::new(&control, PollFlags::IN),
            PollFd::new(&self.children, PollFlags::IN),
        ];
        // Only the hang-up of the other end is reported.
        let ends = wanted
            .iter()
            .map(|(_, end)| PollFd::new(*end, PollFlags::empty()));
        sources.extend(ends);
        match poll(&mut sources, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let given_up = wanted.iter().zip(&sources[2..]);
        let given_up = given_up.filter(|(_, source)| !source.revents().is_empty());
        Ok((
            !sources[0].revents().is_empty(),
            given_up.map(|((pid, _), _)| *pid).collect(),
        ))
    }

    fn start(&mut self, request: Request) {
        let Request {
            command,
            connection,
            output,
            end,
        } = request;
        match self.spawn(&command.words, &command.dir, connection, output) {
            Ok(pid) => {
                self.running.insert(pid, Program { end: Some(end) });
            }
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(libc::EINVAL);
                report(&end, Ended::NotStarted(errno));
            }
        }
    }

    fn spawn(
        &self,
        words: &[String],
        dir: &std::path::Path,
        connection: OwnedFd,
        output: OwnedFd,
    ) -> io::Result<i32> {
        let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::from(output.try_clone()?))
            .stderr(Stdio::from(output));
        let setup = ChildSetup {
            nofile: self.nofile,
            third: Some(connection),
            ..ChildSetup::default()
        };
        prepare_child(&mut command, setup)?;
        // The `Child` is dropped: all children are reaped with wait(2).
        Ok(command.spawn()?.id().cast_signed())
    }

    /// Kills a program that tcprove no longer waits for.
    fn give_up(&mut self, pid: i32) {
        if let Some(program) = self.running.get_mut(&pid) {
            program.end = None;
        }
        kill_group(pid);
        // A program may have left its group.
        let tree = u32::try_from(pid).ok().and_then(proc::descendants_quickly);
        for process in tree.into_iter().flatten() {
            if let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }

    fn reap(&mut self) {
        let running = &mut self.running;
        reap(&mut |pid, status| {
            let Some(program) = running.remove(&pid.as_raw_pid()) else {
                return;
            };
            // What it left behind would keep the connection open.
            kill_group(pid.as_raw_pid());
            if let (Some(end), Some(exit)) = (program.end, exit_of(status)) {
                report(&end, Ended::Exit(exit));
            }
        });
    }
}

fn exit_of(status: WaitStatus) -> Option<Exit> {
    let code = status.exit_status().map(Exit::Code);
    code.or_else(|| status.terminating_signal().map(Exit::Signal))
}

/// Reports how a program ended. An error means that tcprove no longer waits for it.
fn report(end: &OwnedFd, how: Ended) {
    let _ = rustix::net::send(
        end,
        how.write().as_bytes(),
        rustix::net::SendFlags::NOSIGNAL,
    );
}

/// Kills a process group that this process has created.
fn kill_group(leader: i32) {
    if let Some(group) = Pid::from_raw(leader) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}
