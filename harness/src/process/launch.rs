//! How a server is started, and what is special about one start.

use super::{Port, Tmp};
use crate::text::template;
use regex::Regex;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a server may take to be ready, unless its file says otherwise.
pub const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// Everything that is the same for every start of a server.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Program and arguments, with `{port}`, `{tmp}` and the names of parameters in them; see [`template`].
    pub cmd: Vec<String>,
    /// Set beside what tcprove inherited; values take the same placeholders.
    pub env: BTreeMap<String, String>,
    /// Working folder.
    pub cwd: PathBuf,
    /// Values for `{name}`.
    pub params: BTreeMap<String, String>,
    /// Number of the signal that asks it to stop.
    pub stop: i32,
    /// How it is known to be ready.
    pub ready: Ready,
    /// How long it may take to be ready.
    pub ready_timeout: Duration,
    /// The executable that supervises the server: tcprove's own, with the hidden first argument `__supervise`.
    /// Empty in what a file describes: see [`Launch::supervised_by`].
    pub supervisor: PathBuf,
    /// Where it is expected to listen. A listener on the wildcard address counts as well.
    pub host: IpAddr,
}

/// When a server is ready. Never found out by connecting.
#[derive(Debug, Clone)]
pub enum Ready {
    /// A process of its tree listens on the port, as the kernel's socket table says.
    Listen,
    /// It printed a line (on stdout or stderr) that matches. A group named `port` is the port it chose.
    Stdout(Regex),
}

impl Launch {
    /// A launch with the defaults: SIGTERM, ready when it listens on 127.0.0.1 within 10 s, here.
    pub fn new(
        supervisor: impl Into<PathBuf>,
        cmd: impl IntoIterator<Item = impl Into<String>>,
    ) -> Launch {
        Launch {
            cmd: cmd.into_iter().map(Into::into).collect(),
            env: BTreeMap::new(),
            cwd: PathBuf::from("."),
            params: BTreeMap::new(),
            stop: libc::SIGTERM,
            ready: Ready::Listen,
            ready_timeout: READY_TIMEOUT,
            supervisor: supervisor.into(),
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }

    /// The same launch with its supervisor: what a file describes has none yet.
    #[must_use]
    pub fn supervised_by(self, supervisor: impl Into<PathBuf>) -> Launch {
        Launch {
            supervisor: supervisor.into(),
            ..self
        }
    }

    /// The file name of the program.
    pub fn program(&self) -> &str {
        let program = self.cmd.first().map(String::as_str).unwrap_or_default();
        program.rsplit('/').next().unwrap_or_default()
    }

    /// The word of the command or the environment with its placeholders filled in.
    pub fn expand(&self, word: &str, port: u16, tmp: &Path) -> String {
        template::fill(word, |name| match name {
            "port" => Some(port.to_string()),
            "tmp" => Some(tmp.display().to_string()),
            _ => self.params.get(name).cloned(),
        })
    }
}

/// What is special about one start.
#[derive(Debug, Clone)]
pub struct StartOptions {
    /// A leased port to use (again), for restarts and second instances; default: a fresh one.
    pub port: Option<Port>,
    /// Put 0 for `{port}`: the server is to choose. Any port it listens on counts.
    pub port0: bool,
    /// The `{tmp}` of another life, to start on the same disk; default: a fresh, empty folder.
    pub tmp: Option<Tmp>,
    /// Descriptor limit (soft, hard); default: what tcprove itself was started with.
    pub nofile: Option<(u64, u64)>,
    /// The cores it may use; default: those of tcprove.
    pub cpus: Option<Vec<usize>>,
    /// Whether its stack, heap and libraries lie at the same addresses in every life, where the system allows it
    /// ([`crate::sys::fix_addresses`]); default: as they would without tcprove.
    pub fixed_addresses: bool,
    /// Whether stdout is read.
    pub stdout: StdoutMode,
    /// Default: the launch's `ready_timeout`.
    pub give_up: Option<Duration>,
    /// `false`: return as soon as the program runs.
    pub await_ready: bool,
}

impl Default for StartOptions {
    fn default() -> Self {
        StartOptions {
            port: None,
            port0: false,
            tmp: None,
            nofile: None,
            cpus: None,
            fixed_addresses: false,
            stdout: StdoutMode::Drain,
            give_up: None,
            await_ready: true,
        }
    }
}

/// Whether somebody reads what a server prints on stdout. stderr is always read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StdoutMode {
    /// Read and counted, the last 64 KiB kept.
    #[default]
    Drain,
    /// Not read once the server is ready: the pipe fills up.
    Undrained,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders() {
        let mut launch = Launch::new("x", ["y"]);
        launch.params.insert("recv_buffer".into(), "4096".into());
        let expand = |text: &str| launch.expand(text, 81, Path::new("/t"));
        assert_eq!(expand("--port={port}"), "--port=81");
        assert_eq!(expand("{tmp}/a{recv_buffer}b"), "/t/a4096b");
        assert_eq!(expand("{nope} {len:tmp}"), "{nope} 2");
    }
}
