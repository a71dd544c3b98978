//! The file `tcprove.toml`: the server, what it promises, how one exchange goes, what is checked.
//!
//! Each table of the file is a type here (`...Table`, `...Value`) that defines its keys once: their types for serde, and
//! their documentation for the JSON Schema and for messages. It is then converted to what the other modules use. Whatever
//! the file says that is not understood is refused, with the place, the reason and the near name.

pub mod builtin;
mod check;
mod de;
mod error;
mod init;
mod limits;
mod promise;
#[cfg(feature = "cli")]
mod reference;
mod schema;
mod server;
mod talk;
mod transport;
mod value;
mod waive;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use builtin::{BUILTIN, builtin};
pub use check::CheckSection;
pub use error::FileError;
use error::{Fault, Read, line_and_column};
pub use init::init;
pub(crate) use init::{init_text, with_section};
#[cfg(feature = "cli")]
pub(crate) use reference::reference;
pub use schema::schema;
use schemars::JsonSchema;
use serde::Deserialize;
pub use server::check_placeholders;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use value::{At, Tables};

use crate::process::Launch;
use crate::subject::{Promise, Waiver};
use crate::talk::Talk;
use crate::transport::Transport;

/// The whole file.
#[derive(Debug, Clone)]
pub struct File {
    /// The name of the server, or of the talk if the file describes no server.
    pub name: String,
    /// How the server is started, without its supervisor. Absent in a file that is only used with an address.
    pub server: Option<Launch>,
    /// What the server promises, and the limits that it states.
    pub promise: Promise,
    /// How clients reach the server.
    pub transport: Arc<Transport>,
    /// The conversation.
    pub talk: Talk,
    /// Which checks count.
    pub check: CheckSection,
    /// The known failures.
    pub waive: Vec<Waiver>,
}

/// The whole file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tcprove.toml")]
struct FileTable {
    server: Option<At<server::ServerTable>>,
    transport: Option<At<transport::TransportTable>>,
    promise: Option<promise::PromiseTable>,
    limits: Option<limits::LimitsTable>,
    #[schemars(required)]
    talk: Option<At<talk::TalkTable>>,
    check: Option<check::CheckTable>,
    #[serde(default)]
    waive: Tables<waive::WaiveTable>,
}

impl File {
    /// The same conversation with another server: `--talk NAME -- CMD`.
    ///
    /// If it is the same program at another path or with other arguments, everything that the file says about
    /// it stays. Of another program tcprove only knows that it speaks this protocol, so only the promises that
    /// belong to the protocol stay.
    #[must_use]
    pub fn with_cmd(mut self, cmd: Vec<String>) -> Self {
        let new = Launch::new("", cmd).reached_by(&self.transport);
        match &mut self.server {
            Some(old) if is_same_program(old, &new) => {
                (old.cmd, old.transport) = (new.cmd, new.transport)
            }
            _ => {
                self.promise = self.promise.of_protocol_only();
                self.name = server::default_name(&new);
                self.server = Some(new);
            }
        }
        self
    }

    /// The same server from another build: everything but the command stays as the file has it.
    #[must_use]
    pub fn with_other_build(mut self, cmd: Vec<String>) -> Self {
        let new = Launch::new("", cmd).reached_by(&self.transport);
        match &mut self.server {
            Some(old) => (old.cmd, old.transport) = (new.cmd, new.transport),
            None => {
                self.name = server::default_name(&new);
                self.server = Some(new);
            }
        }
        self
    }
}

/// Programs that run another one, so that their name says nothing about the server.
const INTERPRETERS: [&str; 12] = [
    "bash", "bun", "dash", "deno", "env", "java", "node", "perl", "php", "python", "ruby", "sh",
];

/// Whether both commands run the same program, possibly from another path or with other arguments.
pub(crate) fn is_same_program(one: &Launch, other: &Launch) -> bool {
    let bare = one
        .program()
        .trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    one.program() == other.program() && !INTERPRETERS.contains(&bare)
}

/// The largest file that is read, in bytes: `tcprove.toml`, and one whose content is sent.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Reads the bytes of a `{ file = }`.
pub type ReadBytes<'a> = &'a dyn Fn(&Path) -> std::io::Result<Vec<u8>>;

/// Reads the file at `path`. What it names (`cwd`, `{ file = }`) is relative to its own folder.
///
/// # Errors
/// The file cannot be read, or says something that is not understood.
pub fn load(path: &Path) -> Result<File, FileError> {
    let origin = path.display().to_string();
    let bytes = read_bytes(path)
        .map_err(|why| FileError::whole(&origin, format!("cannot be read: {why}")))?;
    let source = String::from_utf8(bytes)
        .map_err(|_| FileError::whole(&origin, "is not UTF-8, as TOML has to be".to_owned()))?;
    let dir = match path.parent() {
        Some(dir) if dir != Path::new("") => dir,
        _ => Path::new("."),
    };
    parse(&source, &origin, dir)
}

/// Parses the text of a file. `origin` is its name in messages; relative paths start at `dir`. Only the files
/// that a `{ file = }` in it names are read.
///
/// # Errors
/// The text says something that is not understood.
pub fn parse(source: &str, origin: &str, dir: &Path) -> Result<File, FileError> {
    parse_with(source, origin, dir, &read_bytes)
}

/// As [`parse`], with `read` in place of the disk.
///
/// # Errors
/// As [`parse`].
pub fn parse_with(
    source: &str,
    origin: &str,
    dir: &Path,
    read: ReadBytes<'_>,
) -> Result<File, FileError> {
    let tree = DeTable::parse(source).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let first_line = error.message().lines().next().unwrap_or("not TOML");
        FileError::new(
            origin,
            source,
            Fault::new(span, first_line.escape_debug().to_string()),
        )
    })?;
    let context = Context {
        source,
        dir: dir.to_owned(),
        read,
        names: BTreeSet::new(),
    };
    file(tree, context).map_err(|fault| FileError::new(origin, source, fault))
}

fn read_bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if read as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::other(format!(
            "larger than {FILE_BYTES_MAX} bytes"
        )));
    }
    Ok(bytes)
}

/// What the parts of a file need to know while they are converted.
struct Context<'a> {
    source: &'a str,
    dir: PathBuf,
    read: ReadBytes<'a>,
    /// Identifiers that a template may use, beside `tok` and `payload`.
    names: BTreeSet<String>,
}

fn file(tree: Spanned<DeTable<'_>>, mut context: Context<'_>) -> Read<File> {
    let tree = Spanned::new(0..0, DeValue::Table(tree.into_inner()));
    let table: FileTable = de::read(&tree)?;
    let server = table.server.map(|server| server.launch(&context));
    let (name, server) = server.transpose()?.unzip();
    let ports = server.iter().flat_map(Launch::further_ports);
    let ports = ports.map(|name| format!("port:{name}"));
    let params = server
        .iter()
        .flat_map(|server| server.params.keys().cloned());
    context.names = ["port", "tmp"]
        .into_iter()
        .map(str::to_owned)
        .chain(params)
        .chain(ports)
        .collect();
    let Some(talk) = table.talk else {
        let fault = Fault::new(
            0..0,
            "the file has no `talk`: it says how one exchange goes",
        );
        return Err(fault.help("`tcprove init --talk line` writes a file to start from"));
    };
    let talk = talk.talk(&context, name.as_deref())?;
    let transport = match table.transport {
        Some(table) => table.transport(&context, &talk, server.as_ref())?,
        None => transport::none(&talk)?,
    };
    let transport = Arc::new(transport);
    let server = server.map(|server| server.reached_by(&transport));
    let mut promise = table.promise.unwrap_or_default().promise()?;
    promise.limits = table.limits.unwrap_or_default().limits(&promise)?;
    let waivers = table.waive.0.into_iter();
    Ok(File {
        promise,
        check: table.check.unwrap_or_default().section()?,
        waive: waivers
            .map(|waiver| waiver.waiver(context.source))
            .collect::<Read<_>>()?,
        name: name.unwrap_or_else(|| talk.name.clone()),
        server,
        transport,
        talk,
    })
}

/// Reads any bytes as a conversation file: it is one, or there is an error with a place. The hook of
/// the fuzz target `talk_file`.
pub fn never_panics(data: &[u8]) {
    let Ok(source) = std::str::from_utf8(data) else {
        return;
    };
    let no_files = |_: &Path| Err(std::io::Error::other("no files here"));
    if let Err(error) = parse_with(source, "fuzzed.toml", Path::new("."), &no_files) {
        let _ = error.render(false);
    }
}
