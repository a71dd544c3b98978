//! The supervisor: a separate process that starts the server and ends its process tree.
//!
//! It makes itself a child subreaper, so that orphans, including daemons that fork twice, become its children. It starts
//! the command, reports how the main process ends, and kills all descendants as soon as the other end of its stdin is
//! closed. The kernel closes it when tcprove ends, even by SIGKILL.
//!
//! stdin is one end of a socket pair. The supervisor writes lines: `pid N`, then `exit CODE` or `signal N` for the main
//! process, or `error ERRNO` if the command could not be executed, and `left 0` once all processes have ended. tcprove
//! writes one byte once it has opened a pidfd of the main process (the supervisor does not reap that process earlier),
//! then one for each request to the tracer, if there is one (see `tracer`), until it closes its end.
//!
//! If the supervisor itself is killed, the main process is killed too (PDEATHSIG), and tcprove finds the other processes
//! by a variable in their environment (see `supervised_tree`). tcprove is not a subreaper itself: as a library, it would
//! adopt orphans of the program that uses it.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, WaitStatus};
use rustix::thread::{CpuSet, sched_setaffinity};

use super::account;
use super::ending::{Children, drain_signals, kill_all, own_descendants, reap};
use super::listen::listen;
use super::tracer::Tracer;
use super::{injector, proc, tmp};
use crate::sys::{ChildSetup, UserIds, fix_addresses, prepare_child};

/// The hidden first argument that makes the tcprove binary a supervisor.
pub(super) const SUPERVISE: &str = "__supervise";

/// The arguments after [`SUPERVISE`].
const USAGE: &str = "[--nofile SOFT:HARD] [--cpus N,N] [--addresses fixed] [--tmp FOLDER] [--user UID:GID:GID,GID] \
                     [--listen ADDRESS] [--calls LINK:SET] [--trace PLAN:LOG] -- CMD ARG...";

/// The parsed arguments of a supervisor.
#[derive(Debug, Default, PartialEq, Eq)]
struct SuperviseArgs {
    nofile: Option<(u64, u64)>,
    cpus: Option<Vec<usize>>,
    fixed_addresses: bool,
    /// A folder to remove at the end if no other process uses it, since tcprove may have been killed.
    tmp: Option<PathBuf>,
    /// The user that the command runs as.
    user: Option<UserIds>,
    /// Open a listening socket on this address and pass it to the command as descriptor 3.
    listen: Option<SocketAddr>,
    /// The link of the injector that answers system calls of the command, and which calls.
    calls: Option<String>,
    /// The files by which to trace the command.
    trace: Option<String>,
    command: Vec<OsString>,
}

impl SuperviseArgs {
    /// Parses arguments of the form [`USAGE`].
    fn parse(arguments: impl IntoIterator<Item = OsString>) -> Option<SuperviseArgs> {
        let mut arguments = arguments.into_iter();
        let mut args = SuperviseArgs::default();
        loop {
            let argument = arguments.next()?;
            if argument == "--" {
                break;
            }
            args.set(argument.to_str()?, arguments.next()?)?;
        }
        args.command = arguments.collect();
        (!args.command.is_empty()).then_some(args)
    }

    fn set(&mut self, option: &str, value: OsString) -> Option<()> {
        if option == "--tmp" {
            self.tmp = Some(PathBuf::from(value));
            return Some(());
        }
        let value = value.into_string().ok()?;
        match option {
            "--nofile" => {
                let (soft, hard) = value.split_once(':')?;
                self.nofile = Some((soft.parse().ok()?, hard.parse().ok()?));
            }
            "--cpus" => {
                let all: Result<_, _> = value.split(',').map(str::parse).collect();
                self.cpus = Some(all.ok()?);
            }
            "--addresses" if value == "fixed" => self.fixed_addresses = true,
            "--user" => self.user = Some(account::parse_ids(&value)?),
            "--listen" => self.listen = Some(value.parse().ok()?),
            "--calls" => self.calls = Some(value),
            "--trace" => self.trace = Some(value),
            _ => return None,
        }
        Some(())
    }
}

/// Runs this process as the supervisor of a server, with the arguments after [`SUPERVISE`]. `main` must call it before
/// it starts any thread.
pub(super) fn supervise(arguments: impl IntoIterator<Item = OsString>) -> ! {
    let Some(args) = SuperviseArgs::parse(arguments) else {
        eprintln!("{SUPERVISE} is for internal use: {USAGE}");
        std::process::exit(2);
    };
    let folder = args.tmp.as_deref();
    let held = folder.and_then(|folder| Some((folder, tmp::hold(folder).ok()?)));
    let parent = rustix::process::getppid();
    match run(&args) {
        Ok(()) => {
            if let Some((folder, lock)) = held {
                // A tcprove that was killed closes its files one after the other: its lock may be the last.
                tmp::remove_unused(folder, lock, || is_ending(parent));
            }
            std::process::exit(0)
        }
        Err(error) => {
            eprintln!("tcprove's supervisor: {error}");
            std::process::exit(70);
        }
    }
}

/// Whether the parent process, which was this one at the start, has ended or is about to.
fn is_ending(parent: Option<Pid>) -> bool {
    let now = rustix::process::getppid();
    let pid = now.map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs());
    now != parent || proc::stat(pid).is_none_or(|stat| stat.is_ending())
}

fn run(args: &SuperviseArgs) -> io::Result<()> {
    let mut control = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let children = own_descendants()?;
    let errno = |error: io::Error| error.raw_os_error().unwrap_or(libc::EINVAL);
    let inherited = match args.listen.map(listen).transpose() {
        Ok(listener) => listener.map(OwnedFd::from),
        Err(error) => return writeln!(control, "bind {}", errno(error)),
    };
    let main = match spawn(args, inherited) {
        Ok(main) => main,
        Err(error) => return writeln!(control, "error {}", errno(error)),
    };
    let trace = args.trace.as_deref();
    let mut tracer = trace.and_then(|files| Tracer::begin(files, main));
    watch(&mut control, &children, main, tracer.as_mut());
    kill_all(&children, |pid, status| {
        report_end(&mut control, main, pid, status)
    })
}

/// Restricts this process, and thereby its children, to these CPUs. Best effort: an error is ignored.
fn restrict_to(cpus: &[usize]) {
    let mut set = CpuSet::new();
    cpus.iter().for_each(|cpu| set.set(*cpu));
    let _ = sched_setaffinity(None, &set);
}

/// Starts the command. The listening socket then belongs to the new process only.
fn spawn(args: &SuperviseArgs, inherited: Option<OwnedFd>) -> io::Result<u32> {
    if let Some(cpus) = &args.cpus {
        restrict_to(cpus);
    }
    if args.fixed_addresses {
        // Best effort: the caller has tested with `can_fix_addresses` whether the system allows it.
        let _ = fix_addresses();
    }
    if let Some(user) = &args.user {
        // So that the server can open /dev/stdout and /dev/stderr. If this fails, it can still write to them.
        for output in [io::stdout().as_fd(), io::stderr().as_fd()] {
            let owner = rustix::process::Uid::from_raw(user.user);
            let _ = rustix::fs::fchown(output, Some(owner), None);
        }
    }
    let mut command = Command::new(&args.command[0]);
    command.args(&args.command[1..]).stdin(Stdio::null());
    let setup = ChildSetup {
        nofile: args.nofile,
        user: args.user.clone(),
        listen_pid: inherited.is_some(),
        third: inherited,
        filter: args.calls.as_deref().map(injector::filter).transpose()?,
    };
    prepare_child(&mut command, setup)?;
    // The `Child` is dropped: this process reaps all its children with wait(2) instead.
    Ok(command.spawn()?.id())
}

/// Reports on the main process until tcprove closes its end.
fn watch(control: &mut UnixStream, children: &OwnedFd, main: u32, mut tracer: Option<&mut Tracer>) {
    // If this write fails, tcprove has ended, and the read that follows fails too.
    let _ = writeln!(control, "pid {main}");
    let mut acknowledged = [0u8];
    if !matches!(control.read(&mut acknowledged), Ok(1)) {
        return;
    }
    let mut remaining = Children::Some;
    loop {
        if remaining == Children::Some {
            let mut on_end = |pid, status| report_end(control, main, pid, status);
            remaining = match &mut tracer {
                Some(tracer) => tracer.reap(&mut on_end),
                None => reap(&mut on_end),
            };
            if remaining == Children::None {
                let _ = writeln!(control, "left 0");
            }
        }
        let mut sources = [
            PollFd::new(control, PollFlags::IN),
            PollFd::new(children, PollFlags::IN),
        ];
        match poll(&mut sources, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
        let (has_input, child_ended) = (
            !sources[0].revents().is_empty(),
            !sources[1].revents().is_empty(),
        );
        if has_input && !matches!(control.read(&mut acknowledged), Ok(1)) {
            return;
        }
        if has_input && let Some(tracer) = &mut tracer {
            tracer.answer();
        }
        if child_ended {
            drain_signals(children);
        }
    }
}

/// Reports the exit status if `pid` is the main process; other processes are not reported.
fn report_end(control: &mut UnixStream, main: u32, pid: Pid, status: WaitStatus) {
    if u32::try_from(pid.as_raw_pid()) != Ok(main) {
        return;
    }
    // If the write fails, tcprove has ended.
    let _ = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => writeln!(control, "exit {code}"),
        (None, Some(signal)) => writeln!(control, "signal {signal}"),
        (None, None) => Ok(()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Option<SuperviseArgs> {
        SuperviseArgs::parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn arguments() {
        let args = parse(&["--nofile", "20:30", "--", "cmd", "--", "x"]).unwrap();
        assert_eq!(args.nofile, Some((20, 30)));
        assert_eq!(args.command, ["cmd", "--", "x"]);
        let args = parse(&["--cpus", "0,3", "--", "cmd"]).unwrap();
        assert_eq!((args.cpus, args.nofile), (Some(vec![0, 3]), None));
        assert!(!args.fixed_addresses);
        let args = parse(&["--addresses", "fixed", "--", "cmd"]).unwrap();
        assert!(args.fixed_addresses);
        let args = parse(&["--tmp", "/t", "--", "cmd"]).unwrap();
        assert_eq!(args.tmp, Some(PathBuf::from("/t")));
        let args = parse(&["--user", "7:8:8,9", "--listen", "[::1]:80", "--", "cmd"]).unwrap();
        let user = UserIds {
            user: 7,
            group: 8,
            groups: vec![8, 9],
        };
        assert_eq!(args.user, Some(user));
        assert_eq!(args.listen, Some("[::1]:80".parse().unwrap()));
        assert_eq!(parse(&["--user", "7:8", "--", "cmd"]), None);
        assert_eq!(parse(&["--addresses", "x", "--", "cmd"]), None);
        assert_eq!(parse(&["--cpus", "x", "--", "cmd"]), None);
        assert_eq!(parse(&["--"]), None);
        assert_eq!(parse(&["cmd"]), None);
        assert_eq!(parse(&["--nofile", "20", "--", "cmd"]), None);
    }
}
