//! The file `tcprove.toml`: the server, what it promises, how one exchange goes, what is checked.
//!
//! Read in one go into plain data. Whatever the file says that is not understood is refused, with
//! the place, the reason and the near name; what is not supported yet is refused with that word.

pub mod builtin;
mod check;
mod error;
mod init;
mod promise;
mod read;
pub mod schema;
mod server;
mod signal;
pub(crate) mod talk;
mod waive;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use builtin::{BUILTIN, builtin};
pub use check::CheckSection;
pub use error::FileError;
pub(crate) use error::{Fault, Read, line_and_column};
pub use init::init;
pub use schema::schema;
pub use server::{Ready, ServerSection, fill};
pub use signal::StopSignal;

use crate::subject::{Promise, Waiver};
use crate::talk::Talk;
use read::Section;

/// The whole file.
#[derive(Debug, Clone)]
pub struct File {
    /// How the server is started; absent in a file that is only used with an address.
    pub server: Option<ServerSection>,
    /// What the server promises.
    pub promise: Promise,
    /// How one exchange goes.
    pub talk: Talk,
    /// Which checks.
    pub check: CheckSection,
    /// Which failures are known.
    pub waive: Vec<Waiver>,
}

impl File {
    /// The same conversation with another server: `--talk NAME -- CMD`.
    ///
    /// If it is the same program at another place or with other arguments, what the file says about
    /// it stays. Of another program nothing is known but that it speaks this protocol, so only the
    /// promises that belong to the protocol stay.
    #[must_use]
    pub fn with_cmd(mut self, cmd: Vec<String>) -> Self {
        let new = ServerSection::from_cmd(cmd);
        self.server = Some(match self.server.take() {
            Some(old) if old.program() == new.program() => ServerSection {
                cmd: new.cmd,
                ..old
            },
            _ => {
                self.promise = self.promise.of_protocol_only();
                new
            }
        });
        self
    }

    /// The same server from another build: everything but the command stays as the file has it.
    #[must_use]
    pub fn with_other_build(mut self, cmd: Vec<String>) -> Self {
        let new = ServerSection::from_cmd(cmd);
        self.server = Some(match self.server.take() {
            Some(old) => ServerSection {
                cmd: new.cmd,
                ..old
            },
            None => new,
        });
        self
    }

    /// The name of the server, or of the talk where there is none.
    pub fn name(&self) -> &str {
        let server = self.server.as_ref();
        server.map_or(&self.talk.name, |server| &server.name)
    }
}

/// A file is not larger than this, nor is one it takes bytes from.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// How the bytes of a `{ file = }` are got.
pub type ReadBytes<'a> = &'a dyn Fn(&Path) -> std::io::Result<Vec<u8>>;

/// Reads the file at `path`. What it names (`cwd`, `{ file = }`) is relative to its own folder.
///
/// # Errors
/// It cannot be read, or says something that is not understood.
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

/// Takes the text of a file. `origin` is its name in messages; `dir` is what relative paths start
/// from. Only the files that a `{ file = }` in it names are read.
///
/// # Errors
/// It says something that is not understood.
pub fn parse(source: &str, origin: &str, dir: &Path) -> Result<File, FileError> {
    parse_with(source, origin, dir, &read_bytes)
}

/// As [`parse`], with `read` in the place of the disk.
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

/// What the parts of a file need to know while they are read.
pub(crate) struct Context<'a> {
    pub(crate) source: &'a str,
    pub(crate) dir: PathBuf,
    pub(crate) read: ReadBytes<'a>,
    /// Identifiers a template may use, beside `tok` and `payload`.
    pub(crate) names: BTreeSet<String>,
}

/// The keys of the file itself.
const KEYS: &[&str] = &["server", "promise", "talk", "check", "waive"];

fn file(tree: Spanned<DeTable<'_>>, mut context: Context<'_>) -> Read<File> {
    let root = Spanned::new(0..0, DeValue::Table(tree.into_inner()));
    let root = Section::new(&root, "the file", KEYS)?;
    let server = root
        .get("server")
        .map(|value| server::read(value, &context))
        .transpose()?;
    let params = server
        .iter()
        .flat_map(|server| server.params.keys().cloned());
    context.names = ["port", "tmp"]
        .into_iter()
        .map(str::to_owned)
        .chain(params)
        .collect();
    let talk = match root.get("talk") {
        Some(value) => {
            let name = server.as_ref().map(|server| server.name.as_str());
            talk::talk(value, &context, name)?
        }
        None => {
            let fault = root.missing("talk", "it says how one exchange goes");
            return Err(fault.help("`tcprove init --talk line` writes a file to start from"));
        }
    };
    Ok(File {
        promise: promise::read(root.get("promise"))?,
        check: check::read(root.get("check"))?,
        waive: waive::read(&root, &context)?,
        server,
        talk,
    })
}

/// Every key the parser takes outside [talk], for the test that holds the schema to it.
#[cfg(test)]
pub(crate) fn all_keys() -> Vec<&'static str> {
    let lists = [
        KEYS,
        server::KEYS,
        &["stdout"],
        promise::KEYS,
        check::KEYS,
        waive::KEYS,
    ];
    lists.concat()
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
