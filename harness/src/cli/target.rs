//! The flags that name the server under test. Every command has the same ones.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::builtin::{builtin, names};
use super::output::note;
pub(super) use super::prepared::PreparedTarget;
use super::prepared::executable;
use super::{detected, embedded, interrupt};
use crate::detect::detect;
use crate::file::File;
use crate::process::Launch;
use crate::report::{ErrorCode, RunError};
use crate::subject::Origin;
use crate::transport::{Address, Endpoint};
use crate::{file, text};

/// Flags that name the server under test.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Target")]
pub(super) struct TargetArgs {
    /// Read the server and its conversation from this file [default: ./tcprove.toml]
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Use a built-in conversation, for a server given after `--` or with --connect
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    pub(crate) talk: Option<String>,
    /// Connect to a server that is already running, by TCP or to the Unix socket `unix:PATH`
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) connect: Option<String>,
    /// Judge the CPU time, memory and descriptors of that server, given the pid of its main process
    #[arg(long, value_name = "PID", requires = "connect", conflicts_with = "cmd")]
    pub(crate) pid: Option<u32>,
    /// Allow an address that is not on the loopback interface
    #[arg(long, requires = "connect", conflicts_with = "cmd")]
    pub(crate) allow_remote: bool,
    /// Use the built-in reference server
    #[arg(long, conflicts_with_all = ["file", "talk", "connect", "cmd"])]
    pub(crate) embedded: bool,
    /// Set a parameter of the server's command
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub(crate) params: Vec<(String, String)>,
    /// Start the server with this command, which contains {port}; without --talk, find out what it speaks
    #[arg(last = true, value_name = "CMD", conflicts_with_all = ["file", "connect"])]
    pub(crate) cmd: Vec<String>,
    /// What was found out about a server without a talk; not an argument. Clones share it, so that the parts of a run
    /// judge the same conversation.
    #[arg(skip)]
    pub(super) found: Arc<OnceLock<File>>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The file that is read if no target is given.
const DEFAULT_FILE: &str = "tcprove.toml";

impl TargetArgs {
    /// Whether neither a flag nor a default file names a server.
    pub(crate) fn is_empty(&self) -> bool {
        self.file.is_none()
            && self.talk.is_none()
            && self.connect.is_none()
            && self.cmd.is_empty()
            && !self.embedded
            && !Path::new(DEFAULT_FILE).exists()
    }

    /// Prepares the target that the flags name.
    ///
    /// # Errors
    /// A usage or configuration error that says what is missing.
    pub(crate) fn resolve(&self, seed: u64) -> Result<PreparedTarget, RunError> {
        if self.embedded {
            return embedded::from_parameters(&self.params, seed);
        }
        let file = if self.names_no_talk() {
            self.detected(seed)?
        } else {
            self.file()?
        };
        let origin = match &self.connect {
            Some(address) => Origin::Attach {
                endpoint: Endpoint {
                    address: self.address(address)?,
                    transport: file.transport.clone(),
                },
                pid: self.pid,
            },
            None => Origin::Spawn(Box::new(self.launch(&file)?)),
        };
        // The name in a built-in talk is that of the server in its file.
        let name = match (&self.connect, &self.talk) {
            (Some(address), Some(_)) => address.clone(),
            _ => file.name.clone(),
        };
        Ok(PreparedTarget::new(file, origin, name, seed, false))
    }

    /// Whether the flags name a server but no conversation.
    pub(crate) fn names_no_talk(&self) -> bool {
        let is_described = self.talk.is_some() || self.file.is_some();
        let attached = self.connect.is_some() && !Path::new(DEFAULT_FILE).exists();
        !is_described && (attached || !self.cmd.is_empty())
    }

    /// Finds out what the server speaks, and says so in the first line.
    fn detected(&self, seed: u64) -> Result<File, RunError> {
        if let Some(file) = self.found.get() {
            return Ok(file.clone());
        }
        let origin = match &self.connect {
            Some(address) => Origin::Attach {
                endpoint: Endpoint::plain(self.address(address)?),
                pid: self.pid,
            },
            None => {
                let launch = self.with_params(Launch::new("", self.cmd.clone()))?;
                Origin::Spawn(Box::new(launch))
            }
        };
        let interrupt = interrupt::watch()?;
        let found =
            detect(&origin, seed, &interrupt).map_err(|error| detected::error(&error, &origin))?;
        note(&format!(
            "tcprove: no talk is given, so it was detected: {}. Keep it with `tcprove init {}`",
            detected::talk(&found),
            self.words()
        ));
        Ok(self.found.get_or_init(|| found.file).clone())
    }

    /// As [`TargetArgs::resolve`], but with `cmd` instead of the file's command.
    pub(crate) fn resolve_as(
        &self,
        cmd: Option<Vec<String>>,
        seed: u64,
    ) -> Result<PreparedTarget, RunError> {
        let Some(cmd) = cmd else {
            return self.resolve(seed);
        };
        let file = match &self.talk {
            Some(name) => builtin(name)?.with_cmd(cmd),
            None => self.file()?.with_other_build(cmd),
        };
        let origin = Origin::Spawn(Box::new(self.launch(&file)?));
        let name = file.name.clone();
        Ok(PreparedTarget::new(file, origin, name, seed, false))
    }

    /// The target with another command: its file, or the talk that was detected, remains.
    pub(crate) fn other_build(
        &self,
        target: &PreparedTarget,
        cmd: Vec<String>,
        seed: u64,
    ) -> Result<PreparedTarget, RunError> {
        if self.talk.is_some() {
            return self.resolve_as(Some(cmd), seed);
        }
        let file = target.file.clone().with_other_build(cmd);
        let origin = Origin::Spawn(Box::new(self.launch(&file)?));
        let name = file.name.clone();
        Ok(PreparedTarget::new(file, origin, name, seed, false))
    }

    fn file(&self) -> Result<File, RunError> {
        if let Some(name) = &self.talk {
            let mut file = builtin(name)?;
            if !self.cmd.is_empty() {
                return Ok(file.with_cmd(self.cmd.clone()));
            }
            if self.connect.is_none() {
                return Err(usage(format!(
                    "--talk {name} names a conversation but no server: add `-- COMMAND ARG... {{port}}` or --connect HOST:PORT"
                )));
            }
            // Only the protocol's promises hold for another server that speaks the same protocol.
            file.promise = file.promise.of_protocol_only();
            return Ok(file);
        }
        if !self.cmd.is_empty() {
            return Err(usage(format!(
                "the command names a server but no conversation: add --talk NAME, one of: {}; or write a file with `tcprove init -- COMMAND`",
                names()
            )));
        }
        let path = match (&self.file, Path::new(DEFAULT_FILE).exists()) {
            (Some(path), _) => path.as_path(),
            (None, true) => Path::new(DEFAULT_FILE),
            (None, false) => return Err(usage(no_target())),
        };
        load(path)
    }

    fn launch(&self, file: &File) -> Result<Launch, RunError> {
        let Some(server) = &file.server else {
            return Err(usage(
                "the file has no [server]: add one with `cmd = [...]`, or use --connect HOST:PORT"
                    .into(),
            ));
        };
        let launch = self.with_params(server.clone())?;
        if file.transport.unix.is_none() && !launch.knows_its_port() {
            return Err(usage(no_port(&launch.cmd)));
        }
        Ok(launch)
    }

    /// Adds the parameters and the supervisor.
    fn with_params(&self, mut server: Launch) -> Result<Launch, RunError> {
        for (name, value) in &self.params {
            let placeholder = format!("{{{name}}}");
            let used = server.texts().any(|text| text.contains(&placeholder));
            if !used && !server.params.contains_key(name) {
                let known: Vec<&str> = server.params.keys().map(String::as_str).collect();
                let known = match known.as_slice() {
                    [] => "it has no parameters".into(),
                    known => format!("its parameters are {}", known.join(", ")),
                };
                return Err(usage(format!(
                    "the server's command has no parameter {placeholder}: {known}"
                )));
            }
            server.params.insert(name.clone(), value.clone());
        }
        file::check_placeholders(&server).map_err(usage)?;
        supervised(server)
    }

    pub(super) fn address(&self, address: &str) -> Result<Address, RunError> {
        match address.strip_prefix("unix:") {
            Some(path) => Ok(Address::Unix(path.into())),
            None => self.tcp_address(address).map(Address::Tcp),
        }
    }

    pub(super) fn tcp_address(&self, address: &str) -> Result<SocketAddr, RunError> {
        let form = "expected HOST:PORT, such as 127.0.0.1:6379 or [::1]:6379";
        let found = address
            .to_socket_addrs()
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::InvalidInput => {
                    usage(format!("`{address}` is not an address: {form}"))
                }
                _ => usage(format!("cannot resolve `{address}` ({error}): {form}")),
            });
        let Some(addr) = found?.next() else {
            return Err(usage(format!("`{address}` has no address: {form}")));
        };
        if !addr.ip().is_loopback() && !self.allow_remote {
            return Err(usage(format!(
                "{addr} is not a loopback address: checks flood and reset connections; add --allow-remote if the server is yours"
            )));
        }
        Ok(addr)
    }

    /// These flags, quoted for a shell.
    pub(crate) fn words(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        let mut flag = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                words.extend([name.to_owned(), value]);
            }
        };
        flag(
            "-f",
            self.file.as_ref().map(|path| path.display().to_string()),
        );
        flag("--talk", self.talk.clone());
        flag("--connect", self.connect.clone());
        flag("--pid", self.pid.map(|pid| pid.to_string()));
        for (name, value) in &self.params {
            flag("--param", Some(format!("{name}={value}")));
        }
        if self.allow_remote {
            words.push("--allow-remote".into());
        }
        if self.embedded {
            words.push("--embedded".into());
        }
        if !self.cmd.is_empty() {
            words.push("--".into());
            words.extend(self.cmd.iter().cloned());
        }
        shell_words::join(words)
    }
}

/// The error for a command without a port, with what to write instead.
fn no_port(cmd: &[String]) -> String {
    let number = cmd.iter().skip(1).rfind(|word| {
        let number = word.parse::<u16>();
        number.is_ok_and(|number| number > 0)
    });
    let place = match number {
        Some(number) => format!("write it in place of `{number}`, if that is the port"),
        None => format!(
            "add it where the port belongs, for example `-- {} --port {{port}}`",
            shell_words::join(cmd)
        ),
    };
    format!("the server's command has no {{port}}: {place}")
}

/// Adds the supervisor, which is this executable. It also replaces the program `tcprove` of a command, so that
/// files that start the reference server work without tcprove in PATH.
pub(super) fn supervised(mut server: Launch) -> Result<Launch, RunError> {
    let own = executable()?;
    if let Some(program) = server.cmd.first_mut()
        && program == "tcprove"
    {
        *program = own.display().to_string();
    }
    Ok(server.supervised_by(own))
}

/// Reads a file that describes a server.
pub(super) fn load(path: &Path) -> Result<File, RunError> {
    file::load(path).map_err(|error| RunError {
        code: ErrorCode::Config,
        location: Some(error.place()),
        message: config_message(&error, path),
    })
}

/// The error's text without the prefix `error:`, which is added when the message is printed.
fn config_message(error: &file::FileError, path: &Path) -> String {
    if error.location().is_some() {
        let text = error.to_string();
        return text.trim_start_matches("error: ").to_owned();
    }
    let next = if path.exists() {
        String::new()
    } else {
        format!(
            "\nnext: write one with `tcprove init --talk NAME -o {}`",
            path.display()
        )
    };
    format!("{} {}{next}", path.display(), error.message())
}

fn no_target() -> String {
    format!(
        "no target is given, and there is no {DEFAULT_FILE} in this folder. Give one of:
  -- COMMAND ARG... {{port}}               start a server with a command
  --connect HOST:PORT                    connect to a running server
  --talk NAME                            say what it speaks, instead of having it detected
  -f FILE                                read a file that describes it (`tcprove init` writes one)
  --embedded                             use the built-in reference server, to try tcprove
NAME is one of: {}",
        names()
    )
}

pub(super) fn usage(message: String) -> RunError {
    RunError::usage(message)
}

/// Parses a duration with its unit.
pub(super) fn duration(text: &str) -> Result<std::time::Duration, String> {
    text::duration(text)
}

/// Parses a duration that may be zero, which skips what it is for.
pub(super) fn duration_or_zero(text: &str) -> Result<std::time::Duration, String> {
    text::duration_or_zero(text)
}

/// Parses a number of bytes.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let bytes = text::size::parse(text)?;
    usize::try_from(bytes).map_err(|_| format!("`{text}` is too large"))
}
