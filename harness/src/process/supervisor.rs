//! The supervisor: a process of its own that stands between tcprove and one life of a server.
//!
//! It makes itself the reaper of all it starts (a daemon that forks twice still ends up below it), starts
//! the command, tells how its main process ends, and kills everything below it as soon as the other end of
//! its stdin is closed, which the kernel does however tcprove ends.
//!
//! stdin is a socket pair. Lines to tcprove: `pid N`, then `exit CODE` or `signal N` for the main process,
//! or `error ERRNO` if the command could not be run, and `left 0` once none of its processes is left. From tcprove: one byte once it holds a pidfd of that
//! process (until then the pid is not given free), then only the end.
//!
//! If the supervisor itself is killed, the main process dies with it (PDEATHSIG), and tcprove looks for the
//! rest by the mark in their environment (see `life`). tcprove does not make itself a subreaper: as a
//! library it would collect the orphans of a program that has nothing to do with us.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, WaitStatus, getpid, set_child_subreaper, setsid};

use rustix::thread::{CpuSet, sched_setaffinity};

use super::ending::{Left, drain_signals, end_all, reap};
use super::tmp;
use crate::sys::{
    ChildSetup, close_on_exec_from, fix_addresses, ignore, prepare_child, watch_children,
};

/// The first argument that makes the tcprove binary a supervisor. Hidden: no part of the command line.
pub const SUPERVISE: &str = "__supervise";

/// How it is called.
const USAGE: &str =
    "[--nofile SOFT:HARD] [--cpus N,N] [--addresses fixed] [--tmp FOLDER] -- CMD ARG...";

/// What a supervisor is asked to do.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    nofile: Option<(u64, u64)>,
    cpus: Option<Vec<usize>>,
    fixed_addresses: bool,
    /// Removed in the end if nobody else uses it: tcprove may have been killed.
    tmp: Option<PathBuf>,
    command: Vec<OsString>,
}

impl Order {
    /// As [`USAGE`] says.
    fn parse(arguments: impl IntoIterator<Item = OsString>) -> Option<Order> {
        let mut arguments = arguments.into_iter();
        let (mut nofile, mut cpus, mut fixed_addresses, mut tmp) = (None, None, false, None);
        loop {
            let argument = arguments.next()?;
            if argument == "--" {
                break;
            }
            let value = arguments.next()?;
            if argument == "--tmp" {
                tmp = Some(PathBuf::from(value));
                continue;
            }
            let value = value.into_string().ok()?;
            match argument.to_str()? {
                "--nofile" => {
                    let (soft, hard) = value.split_once(':')?;
                    nofile = Some((soft.parse().ok()?, hard.parse().ok()?));
                }
                "--cpus" => {
                    let all: Result<_, _> = value.split(',').map(str::parse).collect();
                    cpus = Some(all.ok()?);
                }
                "--addresses" if value == "fixed" => fixed_addresses = true,
                _ => return None,
            }
        }
        let command: Vec<OsString> = arguments.collect();
        (!command.is_empty()).then_some(Order {
            nofile,
            cpus,
            fixed_addresses,
            tmp,
            command,
        })
    }
}

/// Runs as the supervisor of one server life, with the arguments that follow [`SUPERVISE`]. For `main`,
/// before it starts any thread.
pub fn supervise(arguments: impl IntoIterator<Item = OsString>) -> ! {
    let Some(order) = Order::parse(arguments) else {
        eprintln!("{SUPERVISE} is for tcprove itself: {USAGE}");
        std::process::exit(2);
    };
    let folder = order.tmp.as_deref();
    let held = folder.and_then(|folder| Some((folder, tmp::hold(folder).ok()?)));
    match run(&order) {
        Ok(()) => {
            if let Some((folder, lock)) = held {
                tmp::remove_unused(folder, lock);
            }
            std::process::exit(0)
        }
        Err(error) => {
            eprintln!("tcprove's supervisor: {error}");
            std::process::exit(70);
        }
    }
}

fn run(order: &Order) -> io::Result<()> {
    let mut control = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // A session of our own: Ctrl-C in the terminal is tcprove's business, not the server's.
    let _already_leads_one = setsid();
    ignore(&[
        Signal::INT,
        Signal::TERM,
        Signal::HUP,
        Signal::QUIT,
        Signal::PIPE,
    ]);
    set_child_subreaper(Some(getpid()))?;
    // Best effort: on an old kernel the server may see descriptors that leaked into tcprove.
    let _ = close_on_exec_from(3);
    let children = watch_children()?;
    let main = match spawn(order) {
        Ok(main) => main,
        Err(error) => {
            let number = error.raw_os_error().unwrap_or(libc::EINVAL);
            return writeln!(control, "error {number}");
        }
    };
    watch(&mut control, &children, main);
    end_all(&children, |pid, status| {
        tell_end(&mut control, main, pid, status)
    })
}

/// What is started has the cores of this process. Fewer than asked for is no reason not to start.
fn keep_to(cpus: &[usize]) {
    let mut set = CpuSet::new();
    cpus.iter().for_each(|cpu| set.set(*cpu));
    let _ = sched_setaffinity(None, &set);
}

fn spawn(order: &Order) -> io::Result<u32> {
    if let Some(cpus) = &order.cpus {
        keep_to(cpus);
    }
    if order.fixed_addresses {
        // Best effort: whoever asks for it knows by its own try whether the system allows it.
        let _ = fix_addresses();
    }
    let mut command = Command::new(&order.command[0]);
    command.args(&order.command[1..]).stdin(Stdio::null());
    prepare_child(
        &mut command,
        ChildSetup {
            nofile: order.nofile,
        },
    );
    // The handle is let go: this process waits for all its children itself.
    Ok(command.spawn()?.id())
}

/// Reports on the main process until tcprove closes its end.
fn watch(control: &mut UnixStream, children: &OwnedFd, main: u32) {
    // A failing write means that tcprove is gone; the read that follows says so too.
    let _ = writeln!(control, "pid {main}");
    let mut acknowledged = [0u8];
    if !matches!(control.read(&mut acknowledged), Ok(1)) {
        return;
    }
    let mut left = Left::Something;
    loop {
        if left == Left::Something {
            left = reap(&mut |pid, status| tell_end(control, main, pid, status));
            if left == Left::Nothing {
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
        let (told, child_ended) = (
            !sources[0].revents().is_empty(),
            !sources[1].revents().is_empty(),
        );
        if told && !matches!(control.read(&mut acknowledged), Ok(1)) {
            return;
        }
        if child_ended {
            drain_signals(children);
        }
    }
}

/// Tells how the main process ended; what becomes of the others is not told.
fn tell_end(control: &mut UnixStream, main: u32, pid: Pid, status: WaitStatus) {
    if u32::try_from(pid.as_raw_pid()) != Ok(main) {
        return;
    }
    // Here too a failing write means that tcprove is gone.
    let _ = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => writeln!(control, "exit {code}"),
        (None, Some(signal)) => writeln!(control, "signal {signal}"),
        (None, None) => Ok(()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Option<Order> {
        Order::parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn orders() {
        let order = parse(&["--nofile", "20:30", "--", "cmd", "--", "x"]).unwrap();
        assert_eq!(order.nofile, Some((20, 30)));
        assert_eq!(order.command, ["cmd", "--", "x"]);
        let order = parse(&["--cpus", "0,3", "--", "cmd"]).unwrap();
        assert_eq!((order.cpus, order.nofile), (Some(vec![0, 3]), None));
        assert!(!order.fixed_addresses);
        let order = parse(&["--addresses", "fixed", "--", "cmd"]).unwrap();
        assert!(order.fixed_addresses);
        let order = parse(&["--tmp", "/t", "--", "cmd"]).unwrap();
        assert_eq!(order.tmp, Some(PathBuf::from("/t")));
        assert_eq!(parse(&["--addresses", "x", "--", "cmd"]), None);
        assert_eq!(parse(&["--cpus", "x", "--", "cmd"]), None);
        assert_eq!(parse(&["--"]), None);
        assert_eq!(parse(&["cmd"]), None);
        assert_eq!(parse(&["--nofile", "20", "--", "cmd"]), None);
    }
}
