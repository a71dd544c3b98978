//! The description of a server as the engines need it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{ProveError, Result};
use super::{Conversation, Prove, ProveOrigin};
use crate::file::builtin::{names, suggestion};
use crate::file::{self, File};
use crate::process::Launch;
use crate::subject::{Origin, Subject, by_hand};
use crate::transport::{Address, Endpoint};

/// A server that can be judged.
pub(super) struct Prepared {
    pub subject: Subject,
    /// The rest of the file: waivers, battery.
    pub file: File,
    /// The server's command for a shell; `None` for a running server.
    pub command_by_hand: Option<String>,
    /// The arguments by which the binary judges the same server.
    pub words: String,
}

impl Prepared {
    /// # Errors
    /// The description is not valid.
    pub(super) fn of(prove: &Prove) -> Result<Self> {
        let mut file = described(prove)?;
        let origin = match &prove.origin {
            ProveOrigin::Running(address) => {
                file.promise = file.promise.of_protocol_only();
                running(*address, &file)?
            }
            _ => Origin::Spawn(Box::new(launch(prove, &file)?)),
        };
        let command_by_hand = match &origin {
            Origin::Spawn(launch) => Some(by_hand::command(launch)),
            Origin::Attach { .. } => None,
        };
        Ok(Self {
            subject: Subject {
                origin,
                talk: Arc::new(file.talk.clone()),
                promise: file.promise.clone(),
                seed: prove.seed,
            },
            file,
            command_by_hand,
            words: words(prove),
        })
    }
}

/// The executable of this process, which supervises servers.
pub(super) fn executable() -> Result<PathBuf> {
    std::env::current_exe().map_err(|error| {
        ProveError::Machine(format!("this program's own file is unknown: {error}"))
    })
}

fn described(prove: &Prove) -> Result<File> {
    let file = match (&prove.conversation, &prove.origin) {
        (Some(Conversation::Builtin(name)), _) => builtin(name)?,
        (Some(Conversation::File(path)), _) | (None, ProveOrigin::File(path)) => {
            file::load(path).map_err(description)?
        }
        (Some(Conversation::Text(text)), _) => {
            file::parse(text, "the conversation", Path::new(".")).map_err(description)?
        }
        (None, _) => {
            return Err(ProveError::Description(format!(
                "it is not said what the server speaks: add .talk(NAME), one of {}, or .talk_file(PATH)",
                names()
            )));
        }
    };
    Ok(match &prove.origin {
        ProveOrigin::Command(words) => file.with_cmd(words.clone()),
        ProveOrigin::File(path) if prove.conversation.is_some() => {
            // The file says how the server is started, and the other one what it speaks.
            let server = file::load(path).map_err(description)?;
            File {
                talk: file.talk,
                ..server
            }
        }
        _ => file,
    })
}

fn builtin(name: &str) -> Result<File> {
    file::builtin(name).ok_or_else(|| {
        let near = suggestion(name);
        ProveError::Description(format!(
            "there is no built-in talk `{name}`{near}\nthere are: {}",
            names()
        ))
    })
}

fn description(error: file::FileError) -> ProveError {
    ProveError::Description(error.to_string())
}

fn launch(prove: &Prove, file: &File) -> Result<Launch> {
    let Some(mut launch) = file.server.clone() else {
        return Err(ProveError::Description(
            "the file has no [server]: add one with `cmd = [...]`, or use Prove::cmd".into(),
        ));
    };
    launch.env.extend(prove.env.clone());
    launch.params.extend(prove.params.clone());
    if let Some(folder) = &prove.cwd {
        launch.cwd.clone_from(folder);
    }
    if file.transport.unix.is_none() && !launch.knows_its_port() {
        return Err(ProveError::Description(format!(
            "the server's command has no {{port}}: add it where the port belongs, as in Prove::cmd([{:?}, \"{{port}}\"])",
            launch.cmd.first().map_or("server", String::as_str)
        )));
    }
    file::check_placeholders(&launch).map_err(ProveError::Description)?;
    Ok(launch.supervised_by(executable()?))
}

fn running(address: SocketAddr, file: &File) -> Result<Origin> {
    if !address.ip().is_loopback() {
        return Err(ProveError::Description(format!(
            "{address} is not a loopback address: checks flood and reset connections"
        )));
    }
    Ok(Origin::Attach {
        endpoint: Endpoint {
            address: Address::Tcp(address),
            transport: file.transport.clone(),
        },
        pid: None,
    })
}

/// The arguments of the binary for the same server.
fn words(prove: &Prove) -> String {
    let mut words: Vec<String> = Vec::new();
    match (&prove.conversation, &prove.origin) {
        (Some(Conversation::Builtin(name)), _) => words.extend(["--talk".into(), name.clone()]),
        (Some(Conversation::File(path)), _) | (None, ProveOrigin::File(path)) => {
            words.extend(["-f".into(), path.display().to_string()]);
        }
        _ => words.extend(["-f".into(), "FILE".into()]),
    }
    for (name, value) in &prove.params {
        words.extend(["--param".into(), format!("{name}={value}")]);
    }
    match &prove.origin {
        ProveOrigin::Command(command) => {
            words.push("--".into());
            words.extend(command.clone());
        }
        ProveOrigin::Running(address) => words.extend(["--connect".into(), address.to_string()]),
        ProveOrigin::File(_) => {}
    }
    shell_words::join(words)
}
