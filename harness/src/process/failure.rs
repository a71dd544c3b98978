//! Why a server could not be started or attached to.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, io};

use super::Exit;
use crate::text::{escape_text, excerpt};
use crate::transport::Address;

/// An error of [`Server::start`](super::Server::start) or [`Server::attach`](super::Server::attach).
#[derive(Debug)]
pub enum StartFailure {
    /// The program could not be executed.
    Spawn {
        /// The program, with placeholders replaced.
        program: String,
        /// The working folder of the start.
        cwd: PathBuf,
        /// The error of the system call.
        error: io::Error,
    },
    /// The main process ended before the server was ready.
    Exited {
        /// Its exit status.
        exit: Exit,
        /// Time from the start to the exit.
        after: Duration,
        /// The end of its stderr.
        stderr_tail: String,
        /// The end of its stdout.
        stdout_tail: String,
        /// Other processes that listen on the port that was assigned to the server.
        holders: Vec<Holder>,
    },
    /// The server runs but was not ready within the time limit.
    NotReady {
        /// The address on which it was to listen; port 0 if it was to choose one.
        expected: Box<Address>,
        /// Time since the start.
        waited: Duration,
        /// Addresses on which its processes listen instead.
        listening_elsewhere: Box<[SocketAddr]>,
        /// The end of its stderr.
        stderr_tail: String,
        /// The end of its stdout.
        stdout_tail: String,
        /// The readiness pattern that no line matched, if there is one.
        pattern: Option<Box<str>>,
    },
    /// The server runs, but another process listens on the port that was assigned to it.
    PortInUse {
        /// The port.
        port: u16,
        /// The processes that listen there, as far as `/proc` may be read.
        holders: Vec<Holder>,
        /// The end of its stderr.
        stderr_tail: String,
        /// The end of its stdout.
        stdout_tail: String,
    },
    /// The server is listening, but does not hold the plain exchange of its conversation.
    NoExchange {
        /// Time since the start.
        waited: Duration,
        /// What the last attempt showed.
        why: String,
        /// The end of its stderr.
        stderr_tail: String,
        /// The end of its stdout.
        stdout_tail: String,
    },
    /// A helper process or a command that prepares the folder failed.
    Helper {
        /// Its command, with placeholders.
        command: String,
        /// What it is for.
        role: HelperRole,
        /// How it failed.
        trouble: HelperTrouble,
        /// The end of its stderr.
        stderr_tail: String,
        /// The end of its stdout.
        stdout_tail: String,
    },
    /// A file could not be written into `{tmp}`.
    File {
        /// Its path in the folder.
        path: PathBuf,
        /// The error of the system call.
        error: io::Error,
    },
    /// The user that should run the server cannot be used.
    User {
        /// The name of the user.
        user: String,
        /// The reason.
        why: String,
    },
    /// Another instance of a server that allows only one is running.
    Singleton {
        /// Time for which the instance of another tcprove was awaited; `None` if it belongs to this one.
        waited: Option<Duration>,
    },
    /// There is no process with this pid to attach to.
    NoProcess {
        /// The pid.
        pid: u32,
    },
    /// A failure of tcprove itself, not of the server.
    Harness {
        /// The action that failed, as an infinitive after "could not".
        doing: String,
        /// The error of the system call.
        error: io::Error,
    },
}

/// What a process beside the server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelperRole {
    /// It prepares the folder and exits.
    Preparation,
    /// It runs beside the server.
    Beside,
}

/// How a helper process failed.
#[derive(Debug)]
pub enum HelperTrouble {
    /// Its program could not be executed.
    Spawn(io::Error),
    /// It exited with an error, or although the server needs it.
    Exited(Exit),
    /// It does not listen on a port that its command names.
    NotListening {
        /// The NAME of `{port:NAME}`.
        name: String,
        /// The number of that port.
        number: u16,
        /// Time since its start.
        waited: Duration,
    },
    /// It did not start, or did not finish, in time.
    NotDone {
        /// Time since its start.
        waited: Duration,
    },
}

/// A process that holds a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its pid; `None` if its descriptors may not be read, for example because it belongs to another user.
    pub pid: Option<u32>,
    /// Its name (comm), empty if unknown.
    pub comm: String,
    /// The address it listens on.
    pub addr: SocketAddr,
}

impl StartFailure {
    pub(crate) fn harness(doing: impl Into<String>, error: impl Into<io::Error>) -> StartFailure {
        StartFailure::Harness {
            doing: doing.into(),
            error: error.into(),
        }
    }

    /// Whether the server is not to blame: tcprove itself failed, or something that the server needs around it.
    pub fn is_harness(&self) -> bool {
        matches!(
            self,
            StartFailure::Harness { .. }
                | StartFailure::Helper { .. }
                | StartFailure::File { .. }
                | StartFailure::User { .. }
                | StartFailure::Singleton { .. }
        )
    }
}

impl std::error::Error for StartFailure {}

impl fmt::Display for StartFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartFailure::NoExchange { .. }
            | StartFailure::Helper { .. }
            | StartFailure::File { .. }
            | StartFailure::User { .. }
            | StartFailure::Singleton { .. } => self.write_surroundings(f),
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
                expected,
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
                    None => {
                        f.write_str("the server does not listen ")?;
                        match expected.as_ref() {
                            Address::Tcp(addr) => write!(f, "on port {}", addr.port())?,
                            Address::Unix(path) => write!(f, "at {}", path.display())?,
                        }
                        write!(f, " after {}", seconds(*waited))?;
                    }
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

impl StartFailure {
    /// Writes what went wrong around the server: helpers, files, users.
    fn write_surroundings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartFailure::NoExchange {
                waited,
                why,
                stderr_tail,
                stdout_tail,
            } => {
                write!(
                    f,
                    "the server listens, but its plain exchange does not work {} after its start: {why}",
                    seconds(*waited)
                )?;
                write_tails(f, stderr_tail, stdout_tail)
            }
            StartFailure::Helper {
                command,
                role,
                trouble,
                stderr_tail,
                stdout_tail,
            } => {
                let what = match role {
                    HelperRole::Preparation => "the command",
                    HelperRole::Beside => "the helper",
                };
                let key = match role {
                    HelperRole::Preparation => "prepare",
                    HelperRole::Beside => "beside",
                };
                write!(f, "{what} `{}` of `{key}` {trouble}", escape_text(command, 200))?;
                write_tails(f, stderr_tail, stdout_tail)
            }
            StartFailure::File { path, error } => {
                let path = path.display().to_string();
                write!(f, "cannot write the file `{}` into {{tmp}}: {error}", escape_text(&path, 200))
            }
            StartFailure::User { user, why } => {
                write!(f, "cannot run the server as `{}`: {why}", escape_text(user, 100))
            }
            StartFailure::Singleton { waited: None } => f.write_str(
                "another instance of the server is running, and `singleton = true` allows one at a time",
            ),
            StartFailure::Singleton {
                waited: Some(waited),
            } => write!(
                f,
                "another tcprove runs the server for more than {}, and `singleton = true` allows one instance at a time",
                seconds(*waited)
            ),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for HelperTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spawn(error) => write!(f, "cannot be run: {error}"),
            Self::Exited(exit) => write!(f, "{exit}"),
            Self::NotListening {
                name,
                number,
                waited,
            } => write!(
                f,
                "does not listen on {{port:{name}}} ({number}) after {}",
                seconds(*waited)
            ),
            Self::NotDone { waited } => write!(f, "has not finished after {}", seconds(*waited)),
        }
    }
}

fn spawn_reason(program: &str, cwd: &std::path::Path, error: &io::Error) -> String {
    let path: PathBuf = cwd.join(program).components().collect();
    let exists = program.contains('/') && path.exists();
    match error.kind() {
        io::ErrorKind::NotFound if exists => {
            "the file exists, but the interpreter that its first line (#!) or its ELF header names does not"
                .into()
        }
        io::ErrorKind::NotFound if program.contains('/') => {
            format!("{} does not exist", path.display())
        }
        io::ErrorKind::NotFound => "not found in PATH; give its full path if it is elsewhere".into(),
        io::ErrorKind::PermissionDenied if exists => {
            format!("{error}; is it executable? (chmod +x)")
        }
        _ => error.to_string(),
    }
}

fn write_elsewhere(f: &mut fmt::Formatter<'_>, elsewhere: &[SocketAddr]) -> fmt::Result {
    if elsewhere.is_empty() {
        return f.write_str("; it listens on no port");
    }
    let places: Vec<String> = elsewhere.iter().map(ToString::to_string).collect();
    write!(
        f,
        "; it listens on {} instead: check that its command uses {{port}}",
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
                "; {} is held by a process that tcprove may not inspect",
                holder.addr
            )?,
        }
    }
    Ok(())
}

/// Maximum number of lines shown of each stream.
const LINES_SHOWN: usize = 10;

/// Writes the last lines of both streams, escaped for terminals and reports.
fn write_tails(f: &mut fmt::Formatter<'_>, stderr: &str, stdout: &str) -> fmt::Result {
    for (name, text) in [("stderr", stderr), ("stdout", stdout)] {
        let lines = excerpt(text, LINES_SHOWN);
        if lines.is_empty() {
            continue;
        }
        write!(f, "\nlast lines on {name}:")?;
        for line in lines {
            write!(f, "\n  {line}")?;
        }
    }
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
