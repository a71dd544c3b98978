//! How a server is started: settings of the server, and options of one start.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;

use crate::text::template::{self, Template, further_port};
use crate::transport::{TlsError, Transport};

/// Names in `{tmp}` of the certificates that the server is given: `{tls.ca}`, `{tls.cert}`, `{tls.key}`.
const TLS_CA: &str = "tls-ca.pem";
const TLS_CERT: &str = "tls-cert.pem";
const TLS_KEY: &str = "tls-key.pem";
/// Default time limit for a server to become ready.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// The settings that all starts of a server share.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Program and arguments. They may contain the placeholders `{port}`, `{port:NAME}`, `{tmp}` and `{name}` of a
    /// parameter; see `template`.
    pub cmd: Vec<String>,
    /// Environment variables added to those of tcprove. Values may contain the same placeholders.
    pub env: BTreeMap<String, String>,
    /// Files that are written into `{tmp}` before each start, by their paths in it.
    pub files: BTreeMap<PathBuf, LaunchFile>,
    /// Commands that run one after another in a new `{tmp}`, before anything else is started.
    pub prepare: Vec<Vec<String>>,
    /// Commands of helper processes, such as the backend of a proxy. They are started before the server and end with it.
    pub beside: Vec<Vec<String>>,
    /// The user that runs the server and its helpers, and owns `{tmp}`; `None`: that of tcprove.
    pub user: Option<String>,
    /// Who listens on the port.
    pub listening: Listening,
    /// Only one instance can run at a time on this machine.
    pub singleton: bool,
    /// Working folder.
    pub cwd: PathBuf,
    /// Values of the placeholders `{name}`.
    pub params: BTreeMap<String, String>,
    /// Number of the signal that requests a graceful stop.
    pub stop: i32,
    /// Number of the signal that asks it to reload; `None` if there is none.
    pub reload: Option<i32>,
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

/// When a server is ready. Except for [`Ready::Exchange`], tcprove does not connect to find out.
#[derive(Debug, Clone)]
pub enum Ready {
    /// A process of its tree listens on the port, according to the kernel's socket table.
    Listen,
    /// It listens, and then holds the plain exchange of its conversation. This module waits for the first part only.
    Exchange,
    /// It has printed a line that matches. A capture group named `port` is the port it chose.
    Line(ReadyStream, Regex),
}

impl Ready {
    /// Whether the server is ready because of its socket, not of what it prints.
    pub(super) fn is_by_socket(&self) -> bool {
        matches!(self, Self::Listen | Self::Exchange)
    }

    /// Whether the line that makes it ready names the port that it chose.
    pub fn names_port(&self) -> bool {
        match self {
            Self::Listen | Self::Exchange => false,
            Self::Line(_, pattern) => pattern.capture_names().flatten().any(|name| name == "port"),
        }
    }
}

/// Where a server prints the line that makes it ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadyStream {
    /// On stdout.
    Stdout,
    /// On stderr.
    Stderr,
    /// On either.
    Either,
}

/// Who listens on the port of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Listening {
    /// The server.
    #[default]
    Server,
    /// tcprove, which starts the command for each connection with the connection as stdin and stdout, as inetd does.
    PerConnection,
    /// The server, on a socket that tcprove has opened and passes as descriptor 3 (`LISTEN_FDS`, sd_listen_fds(3)).
    Inherited {
        /// The value of `LISTEN_FDNAMES`.
        name: String,
    },
}

/// A file that is written before a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchFile {
    /// Its content. It may contain the placeholders of a command.
    pub text: String,
    /// Its permissions.
    pub mode: u32,
}

/// The values of the placeholders of one start. Parameters belong to the [`Launch`].
#[derive(Debug, Clone, Copy)]
pub struct StartValues<'a> {
    /// `{port}`
    pub port: u16,
    /// `{port:NAME}` by NAME.
    pub further: &'a BTreeMap<String, u16>,
    /// `{tmp}`
    pub tmp: &'a Path,
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
            files: BTreeMap::new(),
            prepare: Vec::new(),
            beside: Vec::new(),
            user: None,
            listening: Listening::Server,
            singleton: false,
            cwd: PathBuf::from("."),
            params: BTreeMap::new(),
            stop: libc::SIGTERM,
            reload: None,
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

    /// Whether the server learns its port: from its command, its environment or a file, by inheriting the socket, or because
    /// it prints the port that it chose.
    pub(crate) fn knows_its_port(&self) -> bool {
        self.ready.names_port()
            || self.listening != Listening::Server
            || self.texts().any(|text| text.contains("{port}"))
    }

    /// The file name of the program.
    pub fn program(&self) -> &str {
        let program = self.cmd.first().map(String::as_str).unwrap_or_default();
        program.rsplit('/').next().unwrap_or_default()
    }

    /// The executable of the program, without symbolic links. `None` if there is none.
    pub fn executable(&self) -> Option<PathBuf> {
        let program = self.cmd.first()?;
        let found = match program.contains('/') {
            true => Some(self.cwd.join(program)),
            false => std::env::var_os("PATH").and_then(|path| {
                let mut folders = std::env::split_paths(&path);
                let at = folders.find(|folder| folder.join(program).is_file())?;
                Some(at.join(program))
            }),
        };
        found?.canonicalize().ok()
    }

    /// Sets how clients reach it. If it uses `{tls.cert}`, a test authority makes that certificate.
    #[must_use]
    pub fn reached_by(mut self, transport: &Arc<Transport>) -> Launch {
        self.transport = transport.clone();
        if let Some(tls) = &transport.tls
            && self.texts().any(|text| text.contains("{tls."))
        {
            self.transport = Arc::new(Transport {
                tls: Some(tls.clone().with_test_authority()),
                ..Transport::clone(transport)
            });
        }
        self
    }

    /// The Unix socket on which it is expected to listen; `None`: TCP.
    pub(super) fn unix(&self, values: StartValues<'_>) -> Option<PathBuf> {
        let path = self.transport.unix.as_deref()?;
        Some(self.expand(path, values).into())
    }

    /// The certificates that it is given in `{tmp}`: name, content and permissions.
    ///
    /// # Errors
    /// They could not be made.
    pub(super) fn certificates(&self) -> Result<Vec<(&'static str, &str, u32)>, TlsError> {
        let authority = match &self.transport.tls {
            Some(tls) => tls.authority()?,
            None => None,
        };
        let Some(authority) = authority else {
            return Ok(Vec::new());
        };
        Ok(vec![
            (TLS_CA, authority.ca.as_str(), 0o644),
            (TLS_CERT, authority.cert.as_str(), 0o644),
            (TLS_KEY, authority.key.as_str(), 0o600),
        ])
    }

    /// Fills in the placeholders of a word of a command, the environment or a file.
    pub fn expand(&self, word: &str, values: StartValues<'_>) -> String {
        let inside = |name: &str| Some(values.tmp.join(name).display().to_string());
        template::fill(word, |name| match (name, further_port(name)) {
            ("port", _) => Some(values.port.to_string()),
            ("tmp", _) => Some(values.tmp.display().to_string()),
            ("tls.cert", _) => inside(TLS_CERT),
            ("tls.key", _) => inside(TLS_KEY),
            ("tls.ca", _) => inside(TLS_CA),
            (_, Some(further)) => values.further.get(further).map(u16::to_string),
            (_, None) => self.params.get(name).cloned(),
        })
    }

    /// Every text with placeholders: commands, values of the environment, files.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let commands = self.prepare.iter().chain(&self.beside);
        let words = self
            .cmd
            .iter()
            .chain(self.env.values())
            .chain(commands.flatten());
        let files = self.files.values().map(|file| file.text.as_str());
        words.map(String::as_str).chain(files)
    }

    /// The names of all `{port:NAME}`.
    pub fn further_ports(&self) -> BTreeSet<String> {
        self.texts().flat_map(further_ports).collect()
    }
}

/// The names of the `{port:NAME}` in a text.
pub(super) fn further_ports(text: &str) -> Vec<String> {
    let Ok(template) = Template::parse(text) else {
        return Vec::new();
    };
    let names = template
        .slots()
        .filter_map(|slot| further_port(slot.name.as_str()));
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders() {
        let mut launch = Launch::new("x", ["y"]);
        launch.params.insert("recv_buffer".into(), "4096".into());
        let values = StartValues {
            port: 81,
            further: &BTreeMap::from([("admin".to_owned(), 82)]),
            tmp: Path::new("/t"),
        };
        let expand = |text: &str| launch.expand(text, values);
        assert_eq!(expand("--port={port}"), "--port=81");
        assert_eq!(expand("{port:admin} {port:other}"), "82 {port:other}");
        assert_eq!(expand("{tmp}/a{recv_buffer}b"), "/t/a4096b");
        assert_eq!(expand("{nope} {len:tmp}"), "{nope} 2");
    }

    #[test]
    fn further_ports_are_collected_from_every_text() {
        let mut launch = Launch::new("x", ["{port}", "--admin={port:admin}"]);
        launch.env.insert("A".into(), "{port:env}".into());
        launch
            .beside
            .push(vec!["b".into(), "{port:backend}".into()]);
        let file = LaunchFile {
            text: "admin {port:admin}\nother {port:file}".into(),
            mode: 0o644,
        };
        launch.files.insert("a.conf".into(), file);
        let names: Vec<String> = launch.further_ports().into_iter().collect();
        assert_eq!(names, ["admin", "backend", "env", "file"]);
    }
}
