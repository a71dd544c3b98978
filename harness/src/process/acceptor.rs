//! The acceptor of a server in inetd style: a process that listens, and starts the command for each connection with the
//! connection as its stdin and stdout.
//!
//! It is the main process of the server's tree, so that everything else works as with a server that starts a process per
//! connection by itself. When a process of a connection crashes, the acceptor ends by the same signal: otherwise nobody
//! would notice, since the other connections are not affected.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitStatus, getpid, kill_process};

use super::ending::reap;
use super::listen::listen;
use super::{Exit, Launch};
use crate::sys::{
    ChildSetup, close_on_exec_from, next_signal, prepare_child, restore_default, signal_from_raw,
    watch_signals,
};

/// The hidden first argument that makes the tcprove binary an acceptor.
pub(super) const ACCEPT: &str = "__accept";

/// The arguments after [`ACCEPT`].
const USAGE: &str = "--listen ADDRESS --stop SIGNAL -- CMD ARG...";

/// Maximum number of connections at the same time, and thereby of processes. More wait in the accept queue.
const CONNECTIONS_MAX: usize = 1024;
/// Pause before it accepts again after it has run out of descriptors, processes or memory.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(100);

/// Signals by which a program ends because of a bug.
const CRASHES: [Signal; 7] = [
    Signal::SEGV,
    Signal::BUS,
    Signal::ABORT,
    Signal::ILL,
    Signal::FPE,
    Signal::TRAP,
    Signal::SYS,
];

/// The command that makes an acceptor for this launch.
pub(super) fn command(launch: &Launch, addr: SocketAddr, words: Vec<String>) -> Vec<String> {
    let supervisor = std::path::absolute(&launch.supervisor);
    let supervisor = supervisor.unwrap_or_else(|_| launch.supervisor.clone());
    let mut command = vec![supervisor.display().to_string(), ACCEPT.to_owned()];
    command.extend(["--listen".to_owned(), addr.to_string()]);
    command.extend(["--stop".to_owned(), launch.stop.to_string()]);
    command.push("--".to_owned());
    command.extend(words);
    command
}

/// The parsed arguments of an acceptor.
#[derive(Debug, PartialEq, Eq)]
struct AcceptArgs {
    listen: SocketAddr,
    stop: Signal,
    command: Vec<OsString>,
}

impl AcceptArgs {
    /// Parses arguments of the form [`USAGE`].
    fn parse(arguments: impl IntoIterator<Item = OsString>) -> Option<AcceptArgs> {
        let mut arguments = arguments.into_iter();
        let mut value = |option: &str| {
            let found = arguments.next().is_some_and(|argument| argument == option);
            let value = arguments.next()?.into_string().ok()?;
            found.then_some(value)
        };
        let listen = value("--listen")?.parse().ok()?;
        let stop = signal_from_raw(value("--stop")?.parse().ok()?)?;
        let separator = arguments.next()?;
        let command: Vec<OsString> = arguments.collect();
        (separator == "--" && !command.is_empty()).then_some(AcceptArgs {
            listen,
            stop,
            command,
        })
    }
}

/// Runs this process as an acceptor, with the arguments after [`ACCEPT`]. `main` must call it before it starts any
/// thread.
pub(super) fn accept(arguments: impl IntoIterator<Item = OsString>) -> ! {
    let Some(args) = AcceptArgs::parse(arguments) else {
        eprintln!("{ACCEPT} is for internal use: {USAGE}");
        std::process::exit(2);
    };
    match Acceptor::new(&args).and_then(Acceptor::run) {
        Ok(()) => std::process::exit(0),
        Err(error) => {
            eprintln!("tcprove's acceptor on {}: {error}", args.listen);
            std::process::exit(1);
        }
    }
}

/// An acceptor that is running.
struct Acceptor<'a> {
    args: &'a AcceptArgs,
    /// `None` once it has been asked to stop.
    listener: Option<TcpListener>,
    signals: OwnedFd,
    /// The processes of connections.
    children: BTreeSet<i32>,
    /// It has run out of something that a moment may bring back.
    is_short: bool,
}

impl<'a> Acceptor<'a> {
    fn new(args: &'a AcceptArgs) -> io::Result<Acceptor<'a>> {
        // Best effort, as in the supervisor.
        let _ = close_on_exec_from(3);
        restore_default(&CRASHES);
        let signals = watch_signals(&[Signal::CHILD, args.stop])?;
        let listener = listen(args.listen)?;
        listener.set_nonblocking(true)?;
        Ok(Acceptor {
            args,
            listener: Some(listener),
            signals,
            children: BTreeSet::new(),
            is_short: false,
        })
    }

    /// Runs until it has been asked to stop and no process of a connection is left.
    fn run(mut self) -> io::Result<()> {
        while self.listener.is_some() || !self.children.is_empty() {
            let is_waiting = self.wait()?;
            while let Some(signal) = next_signal(&self.signals) {
                if signal == self.args.stop.as_raw() {
                    self.stop();
                }
            }
            self.reap();
            if is_waiting {
                self.accept()?;
            }
        }
        Ok(())
    }

    /// Waits for a signal or a connection. Returns whether a connection waits.
    fn wait(&mut self) -> io::Result<bool> {
        let has_room = self.children.len() < CONNECTIONS_MAX && !self.is_short;
        let mut sources = vec![PollFd::new(&self.signals, PollFlags::IN)];
        sources.extend(
            self.listener
                .iter()
                .filter(|_| has_room)
                .map(|listener| PollFd::new(listener, PollFlags::IN)),
        );
        let pause = Timespec {
            tv_sec: 0,
            tv_nsec: SHORTAGE_PAUSE.subsec_nanos().into(),
        };
        match poll(&mut sources, self.is_short.then_some(&pause)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_waiting = sources
            .get(1)
            .is_some_and(|source| !source.revents().is_empty());
        self.is_short = false;
        Ok(is_waiting)
    }

    /// Accepts a connection and starts its process.
    fn accept(&mut self) -> io::Result<()> {
        let Some(listener) = &self.listener else {
            return Ok(());
        };
        let connection = match listener.accept() {
            Ok((connection, _)) => connection,
            Err(error) if is_shortage(&error) => {
                self.is_short = true;
                return Ok(());
            }
            // The client has left, or a signal came.
            Err(_) => return Ok(()),
        };
        match self.spawn(connection.into()) {
            Ok(pid) => {
                self.children.insert(pid);
                Ok(())
            }
            Err(error) if is_shortage(&error) || error.raw_os_error() == Some(libc::EAGAIN) => {
                eprintln!("tcprove: no process for a connection: {error}");
                self.is_short = true;
                Ok(())
            }
            Err(error) => {
                let program = self.args.command[0].display();
                Err(io::Error::new(
                    error.kind(),
                    format!("cannot run `{program}`: {error}"),
                ))
            }
        }
    }

    fn spawn(&self, connection: OwnedFd) -> io::Result<i32> {
        let mut command = Command::new(&self.args.command[0]);
        command
            .args(&self.args.command[1..])
            .stdin(Stdio::from(connection.try_clone()?))
            .stdout(Stdio::from(connection));
        prepare_child(&mut command, ChildSetup::default())?;
        // The `Child` is dropped: all children are reaped with wait(2).
        Ok(command.spawn()?.id().cast_signed())
    }

    /// Stops listening, and passes the stop signal on.
    fn stop(&mut self) {
        self.listener = None;
        for pid in self.children.iter().filter_map(|pid| Pid::from_raw(*pid)) {
            // The pid cannot have been reused, since only this process reaps it.
            let _ = kill_process(pid, self.args.stop);
        }
    }

    fn reap(&mut self) {
        let children = &mut self.children;
        reap(&mut |pid, status| {
            children.remove(&pid.as_raw_pid());
            die_of(status);
        });
    }
}

/// Ends this process by the signal that has crashed the process of a connection.
fn die_of(status: WaitStatus) {
    let crash = status.terminating_signal().and_then(signal_from_raw);
    let Some(crash) = crash.filter(|signal| CRASHES.contains(signal)) else {
        return;
    };
    let how = Exit::Signal(crash.as_raw());
    eprintln!("tcprove: the process of a connection {how}");
    let _ = kill_process(getpid(), crash);
}

/// Whether a resource is exhausted, so that trying again later may help.
fn is_shortage(error: &io::Error) -> bool {
    let errors = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS];
    error
        .raw_os_error()
        .is_some_and(|errno| errors.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let launch = Launch::new("/bin/tcprove", ["x"]);
        let addr = SocketAddr::from(([127, 0, 0, 1], 80));
        let words = command(&launch, addr, vec!["cat".into(), "-u".into()]);
        assert_eq!(words[..2], ["/bin/tcprove", ACCEPT]);
        let args = AcceptArgs::parse(words[2..].iter().map(OsString::from)).unwrap();
        assert_eq!((args.listen, args.stop), (addr, Signal::TERM));
        assert_eq!(args.command, ["cat", "-u"]);
        let parse = |words: &[&str]| AcceptArgs::parse(words.iter().map(OsString::from));
        assert_eq!(
            parse(&["--listen", "127.0.0.1:80", "--stop", "15", "--"]),
            None
        );
        assert_eq!(parse(&["--stop", "15", "--listen", "x", "--", "cat"]), None);
        assert_eq!(parse(&[]), None);
    }
}
