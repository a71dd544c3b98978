//! The target of a command, the same flags everywhere.

use super::embedded;
use crate::check::run::BY_HAND_PORT;
use crate::file::File;
use crate::process::{Launch, Ready};
use crate::report::{ErrorCode, RunError, TargetReport};
use crate::subject::{Origin, Subject};
use crate::{file, text};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which server.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Target")]
pub(super) struct TargetArgs {
    /// The conversation file [default: ./tcprove.toml]
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// A built-in conversation, for a server given after `--` or with --connect
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    pub talk: Option<String>,
    /// A server that runs already
    #[arg(long, value_name = "HOST:PORT")]
    pub connect: Option<String>,
    /// The main process of that server: its CPU, memory and descriptors can then be judged
    #[arg(long, value_name = "PID", requires = "connect", conflicts_with = "cmd")]
    pub pid: Option<u32>,
    /// Allow an address that is not of this machine's loopback
    #[arg(long, requires = "connect", conflicts_with = "cmd")]
    pub allow_remote: bool,
    /// The reference server that is built in
    #[arg(long, conflicts_with_all = ["file", "talk", "connect", "cmd"])]
    pub embedded: bool,
    /// Set a parameter of the server's command
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub params: Vec<(String, String)>,
    /// The command that starts the server, with {port} in it
    #[arg(last = true, value_name = "CMD", conflicts_with_all = ["file", "connect"])]
    pub cmd: Vec<String>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A target, ready to be judged.
pub(super) struct Resolved {
    pub subject: Subject,
    pub name: String,
    pub embedded: bool,
    /// Everything else of the file: waivers, required checks, battery.
    pub file: File,
    /// The command as a reader pastes it, with the port filled in.
    pub command_by_hand: Option<String>,
}

impl Resolved {
    pub(crate) fn report(&self) -> TargetReport {
        let command = match &self.subject.origin {
            Origin::Spawn(launch) => shell_words::join(&launch.cmd),
            Origin::Attach { addr, .. } => addr.to_string(),
        };
        TargetReport {
            name: self.name.clone(),
            command,
            embedded: self.embedded,
        }
    }
}

/// The file that is taken where no target is given.
const DEFAULT_FILE: &str = "tcprove.toml";

impl TargetArgs {
    /// Whether nothing says which server is meant.
    pub(crate) fn is_empty(&self) -> bool {
        self.file.is_none()
            && self.talk.is_none()
            && self.connect.is_none()
            && self.cmd.is_empty()
            && !self.embedded
            && !Path::new(DEFAULT_FILE).exists()
    }

    /// Finds the target, or says what is missing.
    pub(crate) fn resolve(&self, seed: u64) -> Result<Resolved, RunError> {
        if self.embedded {
            return self.embedded(seed);
        }
        let file = self.file()?;
        let origin = match &self.connect {
            Some(address) => Origin::Attach {
                addr: self.address(address)?,
                pid: self.pid,
            },
            None => Origin::Spawn(self.launch(&file)?),
        };
        let name = file.name.clone();
        Ok(resolved(file, origin, name, seed, false))
    }

    /// The target with another command in place of the file's, everything else as the file has it.
    pub(crate) fn resolve_as(
        &self,
        cmd: Option<Vec<String>>,
        seed: u64,
    ) -> Result<Resolved, RunError> {
        let Some(cmd) = cmd else {
            return self.resolve(seed);
        };
        let file = match &self.talk {
            Some(name) => builtin(name)?.with_cmd(cmd),
            None => self.file()?.with_other_build(cmd),
        };
        let origin = Origin::Spawn(self.launch(&file)?);
        let name = file.name.clone();
        Ok(resolved(file, origin, name, seed, false))
    }

    fn file(&self) -> Result<File, RunError> {
        if let Some(name) = &self.talk {
            let mut file = builtin(name)?;
            if !self.cmd.is_empty() {
                return Ok(file.with_cmd(self.cmd.clone()));
            }
            if self.connect.is_none() {
                return Err(usage(format!(
                    "--talk {name} says how to talk, not with whom: add `-- COMMAND ARG... {{port}}`, or --connect HOST:PORT"
                )));
            }
            // What the server of that name promises is not promised by another one that speaks alike.
            file.promise = file.promise.of_protocol_only();
            return Ok(file);
        }
        if !self.cmd.is_empty() {
            return Err(usage(format!(
                "how does one talk to it? Add --talk NAME, one of: {}",
                names()
            )));
        }
        let path = match (&self.file, Path::new(DEFAULT_FILE).exists()) {
            (Some(path), _) => path.as_path(),
            (None, true) => Path::new(DEFAULT_FILE),
            (None, false) => return Err(usage(no_target())),
        };
        file::load(path).map_err(|error| RunError {
            code: ErrorCode::Config,
            location: Some(error.place()),
            message: config_message(&error, path),
        })
    }

    fn launch(&self, file: &File) -> Result<Launch, RunError> {
        let Some(server) = &file.server else {
            return Err(usage(
                "the file has no [server]: add `cmd = [...]` there, or give --connect HOST:PORT"
                    .into(),
            ));
        };
        let mut server = server.clone();
        for (name, value) in &self.params {
            let placeholder = format!("{{{name}}}");
            let used = server.cmd.iter().any(|word| word.contains(&placeholder));
            if !used && !server.params.contains_key(name) {
                let known: Vec<&str> = server.params.keys().map(String::as_str).collect();
                let known = match known.as_slice() {
                    [] => "it has none".into(),
                    known => format!("it has {}", known.join(", ")),
                };
                return Err(usage(format!(
                    "the server's command has no parameter {placeholder}: {known}"
                )));
            }
            server.params.insert(name.clone(), value.clone());
        }
        file::check_placeholders(&server).map_err(usage)?;
        let launch = launch(server)?;
        if !is_told_its_port(&launch) {
            return Err(usage(format!(
                "the server's command has no {{port}}: write it where the port belongs, e.g. `-- {} --port {{port}}`",
                launch.cmd.first().map_or("COMMAND", String::as_str)
            )));
        }
        Ok(launch)
    }

    fn address(&self, address: &str) -> Result<SocketAddr, RunError> {
        let form = "write HOST:PORT, as in 127.0.0.1:6379 or [::1]:6379";
        let found = address
            .to_socket_addrs()
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::InvalidInput => {
                    usage(format!("`{address}` is not an address: {form}"))
                }
                _ => usage(format!(
                    "`{address}` names no host that is known here ({error}): {form}"
                )),
            });
        let Some(addr) = found?.next() else {
            return Err(usage(format!("`{address}` has no address: {form}")));
        };
        if !addr.ip().is_loopback() && !self.allow_remote {
            return Err(usage(format!(
                "{addr} is not on this machine's loopback: checks flood and reset connections; add --allow-remote if the server is yours"
            )));
        }
        Ok(addr)
    }

    /// The reference server: its protocol is also the talk, and every other parameter a flag.
    fn embedded(&self, seed: u64) -> Result<Resolved, RunError> {
        embedded::from_parameters(&self.params, seed)
    }

    /// These arguments as a reader's shell takes them.
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

pub(super) fn resolved(
    file: File,
    origin: Origin,
    name: String,
    seed: u64,
    embedded: bool,
) -> Resolved {
    let command_by_hand = match &origin {
        Origin::Spawn(launch) => Some(by_hand(launch)),
        Origin::Attach { .. } => None,
    };
    let subject = Subject {
        origin,
        talk: Arc::new(file.talk.clone()),
        promise: file.promise.clone(),
        seed,
    };
    Resolved {
        subject,
        name,
        embedded,
        file,
        command_by_hand,
    }
}

/// Whether the server is told which port to take, by its command or its environment, or says itself
/// which it took.
fn is_told_its_port(launch: &Launch) -> bool {
    let mut words = launch.cmd.iter().chain(launch.env.values());
    let says = match &launch.ready {
        Ready::Listen => false,
        Ready::Stdout(pattern) => pattern.capture_names().flatten().any(|name| name == "port"),
    };
    says || words.any(|word| word.contains("{port}"))
}

/// What stands for `{tmp}` in a reader's own shell.
const BY_HAND_TMP: &str = "/tmp/tcprove-by-hand";

/// The command for a reader's own shell: parameters and a port filled in, a folder for `{tmp}`.
fn by_hand(launch: &Launch) -> String {
    let expand = |word: &String| launch.expand(word, BY_HAND_PORT, Path::new(BY_HAND_TMP));
    let command = shell_words::join(launch.cmd.iter().map(expand));
    if command.contains(BY_HAND_TMP) {
        format!("mkdir -p {BY_HAND_TMP}; {command}")
    } else {
        command
    }
}

/// This executable supervises the server. It is also the program `tcprove`, wherever it lies: files that start
/// the reference server work as they stand.
fn launch(mut server: Launch) -> Result<Launch, RunError> {
    let own = executable()?;
    if let Some(program) = server.cmd.first_mut()
        && program == "tcprove"
    {
        *program = own.display().to_string();
    }
    Ok(server.supervised_by(own))
}

pub(super) fn executable() -> Result<PathBuf, RunError> {
    std::env::current_exe().map_err(|error| {
        RunError::internal(format!("tcprove cannot find its own executable: {error}"))
    })
}

pub(super) fn builtin(name: &str) -> Result<File, RunError> {
    file::builtin(name).ok_or_else(|| {
        let near = text::nearest(name, file::BUILTIN.iter().map(|entry| entry.0))
            .map_or(String::new(), |near| format!(": did you mean `{near}`?"));
        usage(format!(
            "there is no built-in talk `{name}`{near}\nthere are: {}; or describe your own in a {DEFAULT_FILE} (`tcprove init`)",
            names()
        ))
    })
}

/// Without the word `error`, which every message is given when it is shown.
fn config_message(error: &file::FileError, path: &Path) -> String {
    if error.location().is_some() {
        let text = error.to_string();
        return text.trim_start_matches("error: ").to_owned();
    }
    let next = if path.exists() {
        String::new()
    } else {
        format!(
            "\nnext: `tcprove init --talk NAME -o {}` writes one",
            path.display()
        )
    };
    format!("{} {}{next}", path.display(), error.message())
}

fn names() -> String {
    file::BUILTIN
        .iter()
        .map(|entry| entry.0)
        .collect::<Vec<_>>()
        .join(", ")
}

fn no_target() -> String {
    format!(
        "which server? There is no {DEFAULT_FILE} here, and no target is given. Give one of:
  --talk NAME -- COMMAND ARG... {{port}}   a command that starts it
  --talk NAME --connect HOST:PORT        one that runs already
  -f FILE                                a file that describes it (`tcprove init --talk NAME` writes one)
  --embedded                             the reference server, to try tcprove
where NAME is one of: {}",
        names()
    )
}

pub(super) fn usage(message: String) -> RunError {
    RunError::usage(message)
}

/// A duration with its unit, as on the command line.
pub(super) fn duration(text: &str) -> Result<std::time::Duration, String> {
    text::duration(text)
}

/// A number of bytes, as on the command line.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let bytes = text::size::parse(text)?;
    usize::try_from(bytes).map_err(|_| format!("`{text}` is more than can be counted"))
}
