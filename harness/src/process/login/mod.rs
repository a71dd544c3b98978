//! Programs that log in on a connection of tcprove.
//!
//! A login runs once for each connection, thousands of times in a load. A separate process, the [host](host), starts the
//! programs: it is small, so that a fork is cheap; it ends with tcprove however tcprove ends, and then kills them with
//! all their descendants. It is started with the first login.

mod client;
mod host;
mod request;

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub(crate) use client::end_host;
pub(super) use client::host_is;
pub(super) use host::{LOG_IN, log_in};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::{self, Timeout};
use tokio::io::Interest;
use tokio::net::UnixStream;

use super::Exit;
use crate::text::{escape_text, excerpt};

/// Maximum number of bytes kept of what a program prints.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;
/// Maximum number of lines shown of it.
const LINES_SHOWN: usize = 6;
/// Maximum length of the command that is shown, in characters.
const COMMAND_CHARS_MAX: usize = 120;

/// A program to run, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginCommand {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// The folder in which it runs.
    pub dir: PathBuf,
}

/// A program that is running. Dropping it kills the program.
#[derive(Debug)]
pub(crate) struct Login {
    command: LoginCommand,
    /// The host writes how the program ended, and kills it when this end is closed.
    end: OwnedFd,
    /// What the program prints on stdout and stderr.
    output: OwnedFd,
    _connection: Lent,
    started: Instant,
}

/// A login that did not succeed.
#[derive(Debug)]
pub struct LoginFailure {
    command: LoginCommand,
    trouble: LoginTrouble,
    /// The end of its output.
    output: String,
}

#[derive(Debug)]
enum LoginTrouble {
    /// Its program could not be executed.
    Spawn(io::Error),
    /// It exited with an error.
    Exited(Exit),
    /// It did not finish in time.
    TimedOut(Duration),
    /// A failure of tcprove itself.
    Harness(io::Error),
}

impl Login {
    /// Starts a program with `connection` as its descriptor 3, in blocking mode and without timeouts. The caller must
    /// not use the connection until the login has ended; then its modes are as before.
    ///
    /// # Errors
    /// The host cannot be started or does not take the request.
    pub(crate) fn start(command: LoginCommand, connection: impl AsFd) -> io::Result<Login> {
        let lent = Lent::new(connection.as_fd())?;
        let (end, theirs) = client::end_pair()?;
        let (output, printed) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&output, true)?;
        client::send(
            &command,
            [lent.connection.as_fd(), printed.as_fd(), theirs.as_fd()],
        )?;
        Ok(Login {
            command,
            end,
            output,
            _connection: lent,
            started: Instant::now(),
        })
    }

    /// The result, once the program has ended.
    pub(crate) fn ended(&self) -> Option<Result<(), LoginFailure>> {
        let mut report = [0; 64];
        let trouble = match rustix::io::read(&self.end, &mut report) {
            Ok(count) => match request::Ended::parse(&report[..count]) {
                Some(request::Ended::Exit(exit)) if exit.is_success() => return Some(Ok(())),
                Some(request::Ended::Exit(exit)) => LoginTrouble::Exited(exit),
                Some(request::Ended::NotStarted(errno)) => {
                    LoginTrouble::Spawn(io::Error::from_raw_os_error(errno))
                }
                None => LoginTrouble::Harness(io::Error::other("the host of logins has ended")),
            },
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return None,
            Err(error) => LoginTrouble::Harness(error.into()),
        };
        Some(Err(self.failed(trouble)))
    }

    /// Time since it was started.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The failure of a program that has not ended within `limit`. The caller then drops it.
    pub(crate) fn timed_out(&self, limit: Duration) -> LoginFailure {
        self.failed(LoginTrouble::TimedOut(limit))
    }

    /// Waits until it has ended, for at most `limit`.
    ///
    /// # Errors
    /// It has not succeeded.
    pub(crate) async fn wait(self, limit: Duration) -> Result<(), LoginFailure> {
        let end = self.end.try_clone().map(StdUnixStream::from);
        let end = end
            .and_then(UnixStream::from_std)
            .map_err(|error| self.failed(LoginTrouble::Harness(error)))?;
        let finished = async {
            loop {
                if let Some(result) = self.ended() {
                    return result;
                }
                if let Err(error) = end.readable().await {
                    return Err(self.failed(LoginTrouble::Harness(error)));
                }
                // Clears the readiness if there is nothing to read yet; peeks, so that `ended` can read it.
                let _ = end.try_io(Interest::READABLE, || {
                    let mut byte = [0];
                    Ok(rustix::net::recv(
                        &end,
                        &mut byte,
                        rustix::net::RecvFlags::PEEK,
                    )?)
                });
            }
        };
        let result = tokio::time::timeout(limit, finished).await;
        result.unwrap_or_else(|_| Err(self.timed_out(limit)))
    }

    /// As [`Self::wait`], on a thread without a runtime.
    ///
    /// # Errors
    /// It has not succeeded.
    pub(crate) fn wait_blocking(self, limit: Duration) -> Result<(), LoginFailure> {
        loop {
            if let Some(result) = self.ended() {
                return result;
            }
            let left = limit.saturating_sub(self.elapsed());
            if left.is_zero() {
                return Err(self.timed_out(limit));
            }
            let timeout = Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            };
            let mut ended = [PollFd::new(&self.end, PollFlags::IN)];
            // An error is an interrupt by a signal.
            let _ = poll(&mut ended, Some(&timeout));
        }
    }

    fn failed(&self, trouble: LoginTrouble) -> LoginFailure {
        let mut output = vec![0; OUTPUT_BYTES_MAX];
        let count = rustix::io::read(&self.output, &mut output[..]).unwrap_or(0);
        LoginFailure {
            command: self.command.clone(),
            trouble,
            output: String::from_utf8_lossy(&output[..count]).into_owned(),
        }
    }
}

impl LoginFailure {
    /// Whether the login has not taken place, so that nothing is known about the server.
    pub(crate) fn is_harness(&self) -> bool {
        matches!(
            self.trouble,
            LoginTrouble::Spawn(_) | LoginTrouble::Harness(_)
        )
    }
}

impl fmt::Display for LoginFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command = escape_text(&self.command.words.join(" "), COMMAND_CHARS_MAX);
        match &self.trouble {
            LoginTrouble::Spawn(error) => {
                write!(f, "the login `{command}` cannot be run")?;
                if self.command.dir != std::path::Path::new(".") {
                    write!(f, " in {}", self.command.dir.display())?;
                }
                write!(f, ": {error}")
            }
            LoginTrouble::Exited(exit) => write!(f, "the login `{command}` {exit}"),
            LoginTrouble::TimedOut(limit) => write!(
                f,
                "the login `{command}` did not end within {:.1} s",
                limit.as_secs_f64()
            ),
            LoginTrouble::Harness(error) => {
                write!(f, "tcprove could not run the login `{command}`: {error}")
            }
        }?;
        let lines = excerpt(&self.output, LINES_SHOWN);
        match lines.is_empty() {
            true => Ok(()),
            false => write!(f, "; it printed: {}", lines.join(" | ")),
        }
    }
}

/// A connection that a program uses, with the modes to restore afterwards. They belong to the open file, which all its
/// descriptors share.
#[derive(Debug)]
struct Lent {
    connection: OwnedFd,
    is_nonblocking: bool,
    timeouts: [(Timeout, Option<Duration>); 2],
}

impl Lent {
    fn new(connection: BorrowedFd<'_>) -> io::Result<Lent> {
        let connection = connection.try_clone_to_owned()?;
        let flags = rustix::fs::fcntl_getfl(&connection)?;
        let timeout = |id| sockopt::socket_timeout(&connection, id).unwrap_or(None);
        let timeouts = [Timeout::Recv, Timeout::Send].map(|id| (id, timeout(id)));
        let lent = Lent {
            is_nonblocking: flags.contains(rustix::fs::OFlags::NONBLOCK),
            timeouts,
            connection,
        };
        rustix::io::ioctl_fionbio(&lent.connection, false)?;
        for (id, _) in lent
            .timeouts
            .iter()
            .filter(|(_, timeout)| timeout.is_some())
        {
            sockopt::set_socket_timeout(&lent.connection, *id, None)?;
        }
        Ok(lent)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // Errors mean that the connection is gone, which its next use reports.
        let _ = rustix::io::ioctl_fionbio(&self.connection, self.is_nonblocking);
        for (id, timeout) in self
            .timeouts
            .iter()
            .filter(|(_, timeout)| timeout.is_some())
        {
            let _ = sockopt::set_socket_timeout(&self.connection, *id, *timeout);
        }
    }
}
