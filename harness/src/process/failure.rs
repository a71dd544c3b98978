//! Why a server could not be started: what happened, where, what to do next.

use super::Exit;
use crate::text::excerpt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, io};

/// Why [`Server::start`](super::Server::start) or [`Server::attach`](super::Server::attach) gave no server.
#[derive(Debug)]
pub enum StartFailure {
    /// The program could not be run at all.
    Spawn {
        /// The program as asked for, placeholders replaced.
        program: String,
        /// Where it was looked for: the working folder.
        cwd: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It ended before it was ready.
    Exited {
        /// How.
        exit: Exit,
        /// How long after its start.
        after: Duration,
        /// What it printed last on stderr.
        stderr_tail: String,
        /// What it printed last on stdout.
        stdout_tail: String,
        /// Who else listens on the port it was given.
        holders: Vec<Holder>,
    },
    /// It runs, but was not ready in time.
    NotReady {
        /// The port it was to listen on, or 0.
        port: u16,
        /// How long we waited.
        waited: Duration,
        /// Where its processes listen instead.
        listening_elsewhere: Vec<SocketAddr>,
        /// What it printed last on stderr.
        stderr_tail: String,
        /// What it printed last on stdout.
        stdout_tail: String,
        /// The pattern that no line matched, where one was waited for.
        pattern: Option<String>,
    },
    /// It runs, but somebody else listens on the port it was given.
    PortInUse {
        /// That port.
        port: u16,
        /// Who listens there, as far as we may look.
        holders: Vec<Holder>,
        /// What it printed last on stderr.
        stderr_tail: String,
        /// What it printed last on stdout.
        stdout_tail: String,
    },
    /// There is no process of this number to attach to.
    NoProcess {
        /// The number given.
        pid: u32,
    },
    /// Something failed on our side; it says nothing about the server.
    Harness {
        /// What we were doing.
        doing: String,
        /// What the system said.
        error: io::Error,
    },
}

/// A process that holds a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its number; `None` where we may not look (another user's).
    pub pid: Option<u32>,
    /// Its name.
    pub comm: String,
    /// Where it listens.
    pub addr: SocketAddr,
}

impl StartFailure {
    pub(super) fn harness(doing: impl Into<String>, error: impl Into<io::Error>) -> StartFailure {
        StartFailure::Harness {
            doing: doing.into(),
            error: error.into(),
        }
    }

    /// True for what failed on our side.
    pub fn is_harness(&self) -> bool {
        matches!(self, StartFailure::Harness { .. })
    }
}

impl std::error::Error for StartFailure {}

impl fmt::Display for StartFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartFailure::Spawn {
                program,
                cwd,
                error,
            } => {
                write!(f, "cannot run `{program}`")?;
                if cwd != std::path::Path::new(".") {
                    write!(f, " in {}", cwd.display())?;
                }
                write!(f, ": {}", spawn_reason(program, cwd, error))
            }
            StartFailure::Exited {
                exit,
                after,
                stderr_tail,
                stdout_tail,
                holders,
            } => {
                write!(
                    f,
                    "the server {exit} {} after its start, before it was ready",
                    seconds(*after)
                )?;
                write_holders(f, holders)?;
                write_tails(f, stderr_tail, stdout_tail)
            }
            StartFailure::NotReady {
                port,
                waited,
                listening_elsewhere,
                stderr_tail,
                stdout_tail,
                pattern,
            } => {
                match pattern {
                    Some(pattern) => {
                        write!(f, "no line matched /{pattern}/ within {}", seconds(*waited))?
                    }
                    None => write!(
                        f,
                        "the server does not listen on port {port} after {}",
                        seconds(*waited)
                    )?,
                }
                write_elsewhere(f, listening_elsewhere)?;
                write_tails(f, stderr_tail, stdout_tail)
            }
            StartFailure::PortInUse {
                port,
                holders,
                stderr_tail,
                stdout_tail,
            } => {
                write!(
                    f,
                    "the server runs, but port {port} belongs to another process"
                )?;
                write_holders(f, holders)?;
                write_tails(f, stderr_tail, stdout_tail)
            }
            StartFailure::NoProcess { pid } => write!(f, "there is no process {pid} to attach to"),
            StartFailure::Harness { doing, error } => {
                write!(f, "tcprove could not {doing}: {error}")
            }
        }
    }
}

fn spawn_reason(program: &str, cwd: &std::path::Path, error: &io::Error) -> String {
    let path: PathBuf = cwd.join(program).components().collect();
    let exists = program.contains('/') && path.exists();
    match error.kind() {
        io::ErrorKind::NotFound if exists => {
            "the file is there, but the interpreter its first line (#!) or its header names is not"
                .into()
        }
        io::ErrorKind::NotFound if program.contains('/') => {
            format!("there is no {}", path.display())
        }
        io::ErrorKind::NotFound => "not found in PATH; give its path if it is elsewhere".into(),
        io::ErrorKind::PermissionDenied if exists => {
            format!("{error}; is it executable? (chmod +x)")
        }
        _ => error.to_string(),
    }
}

fn write_elsewhere(f: &mut fmt::Formatter<'_>, elsewhere: &[SocketAddr]) -> fmt::Result {
    if elsewhere.is_empty() {
        return f.write_str("; it listens nowhere");
    }
    let places: Vec<String> = elsewhere.iter().map(ToString::to_string).collect();
    write!(
        f,
        "; it listens on {} instead: does its command use {{port}}?",
        places.join(", ")
    )
}

fn write_holders(f: &mut fmt::Formatter<'_>, holders: &[Holder]) -> fmt::Result {
    for holder in holders {
        match holder.pid {
            Some(pid) => write!(
                f,
                "; {} is held by {} (pid {pid})",
                holder.addr, holder.comm
            )?,
            None => write!(
                f,
                "; {} is held by a process we may not look at",
                holder.addr
            )?,
        }
    }
    Ok(())
}

/// Lines of each stream that are shown.
const LINES_SHOWN: usize = 10;

/// The last lines it printed, safe to show: no terminal and no report takes them for anything else.
fn write_tails(f: &mut fmt::Formatter<'_>, stderr: &str, stdout: &str) -> fmt::Result {
    for (name, text) in [("stderr", stderr), ("stdout", stdout)] {
        let lines = excerpt(text, LINES_SHOWN);
        if lines.is_empty() {
            continue;
        }
        write!(f, "\nlast lines on its {name}:")?;
        for line in lines {
            write!(f, "\n  {line}")?;
        }
    }
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
