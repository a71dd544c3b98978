//! How a server is started: settings of the server, and options of one start.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;

use super::{Port, Tmp};
use crate::text::template;
use crate::transport::Transport;

/// Names in `{tmp}` of the certificates that the server is given: `{tls.ca}`, `{tls.cert}`, `{tls.key}`.
const TLS_CA: &str = "tls-ca.pem";
const TLS_CERT: &str = "tls-cert.pem";
const TLS_KEY: &str = "tls-key.pem";
/// Default time limit for a server to become ready.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// The settings that all starts of a server share.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Program and arguments. They may contain the placeholders `{port}`, `{tmp}` and `{name}` of a parameter; see
    /// `template`.
    pub cmd: Vec<String>,
    /// Environment variables added to those of tcprove. Values may contain the same placeholders.
    pub env: BTreeMap<String, String>,
    /// Working folder.
    pub cwd: PathBuf,
    /// Values of the placeholders `{name}`.
    pub params: BTreeMap<String, String>,
    /// Number of the signal that requests a graceful stop.
    pub stop: i32,
    /// When the server is ready.
    pub ready: Ready,
    /// Time limit for the server to become ready.
    pub ready_timeout: Duration,
    /// The executable that supervises the server when its first argument is the hidden `__supervise`: tcprove itself.
    /// Empty after reading a file: see [`Launch::supervised_by`].
    pub supervisor: PathBuf,
    /// The address on which it is expected to listen. A listener on the wildcard address counts too.
    pub host: IpAddr,
    /// How clients reach it.
    pub transport: Arc<Transport>,
}

/// When a server is ready. tcprove never connects to find out.
#[derive(Debug, Clone)]
pub enum Ready {
    /// A process of its tree listens on the port, according to the kernel's socket table.
    Listen,
    /// It has printed a line on stdout or stderr that matches. A capture group named `port` is the port it chose.
    Stdout(Regex),
}

impl Launch {
    /// A launch with the defaults: current folder, SIGTERM, ready when it listens on 127.0.0.1 within 10 s.
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
            transport: Arc::default(),
        }
    }

    /// Sets the supervisor, which a launch read from a file does not have.
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

    /// Sets how clients reach it. If it uses `{tls.cert}`, a test authority makes that certificate.
    #[must_use]
    pub fn reached_by(mut self, transport: &Arc<Transport>) -> Launch {
        self.transport = transport.clone();
        if let Some(tls) = &transport.tls
            && self.uses_certificates()
        {
            self.transport = Arc::new(Transport {
                tls: Some(tls.clone().with_test_authority()),
                ..Transport::clone(transport)
            });
        }
        self
    }

    /// Whether it is given a certificate of a test authority.
    pub fn uses_certificates(&self) -> bool {
        let mut words = self.cmd.iter().chain(self.env.values());
        words.any(|word| word.contains("{tls."))
    }

    /// The Unix socket on which it is expected to listen; `None`: TCP.
    pub(super) fn unix(&self, port: u16, tmp: &Path) -> Option<PathBuf> {
        let path = self.transport.unix.as_deref()?;
        Some(self.expand(path, port, tmp).into())
    }

    /// Writes the certificates that it is given into `{tmp}`.
    pub(super) fn write_certificates(&self, tmp: &Path) -> io::Result<()> {
        let authority = match &self.transport.tls {
            Some(tls) => tls.authority().map_err(io::Error::other)?,
            None => None,
        };
        let Some(authority) = authority else {
            return Ok(());
        };
        std::fs::write(tmp.join(TLS_CA), &authority.ca)?;
        std::fs::write(tmp.join(TLS_CERT), &authority.cert)?;
        let key = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(tmp.join(TLS_KEY));
        key?.write_all(authority.key.as_bytes())
    }

    /// Fills in the placeholders of a word of the command or the environment.
    pub fn expand(&self, word: &str, port: u16, tmp: &Path) -> String {
        template::fill(word, |name| match name {
            "port" => Some(port.to_string()),
            "tmp" => Some(tmp.display().to_string()),
            "tls.cert" => Some(tmp.join(TLS_CERT).display().to_string()),
            "tls.key" => Some(tmp.join(TLS_KEY).display().to_string()),
            "tls.ca" => Some(tmp.join(TLS_CA).display().to_string()),
            _ => self.params.get(name).cloned(),
        })
    }
}

/// Options of one start.
#[derive(Debug, Clone)]
pub struct StartOptions {
    /// A leased port to use, for restarts and second instances; default: lease a new one.
    pub port: Option<Port>,
    /// Replace `{port}` by 0, so that the server chooses a port. It is ready when it listens on any port.
    pub port0: bool,
    /// The `{tmp}` folder of another start, to reuse its files; default: a new, empty folder.
    pub tmp: Option<Tmp>,
    /// Descriptor limits (soft, hard); default: the limits that tcprove itself was started with.
    pub nofile: Option<(u64, u64)>,
    /// The CPUs it may use; default: those of tcprove.
    pub cpus: Option<Vec<usize>>,
    /// Place its stack, heap and libraries at the same addresses in every start, if the system allows it
    /// (`sys::fix_addresses`); default: do not change the layout.
    pub fixed_addresses: bool,
    /// Whether tcprove reads the server's stdout.
    pub stdout: StdoutMode,
    /// Time limit for this start; default: [`Launch::ready_timeout`].
    pub give_up: Option<Duration>,
    /// Wait until the server is ready; if `false`, only until its program runs.
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

/// Whether tcprove reads a server's stdout. It always reads stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StdoutMode {
    /// Read and count everything; keep the last 64 KiB.
    #[default]
    Drain,
    /// Stop reading once the server is ready, so that the pipe fills up.
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
