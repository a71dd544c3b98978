//! Hooks in interpreters: a script that the environment makes them run first, and a map in a file to which it writes.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::map::{Form, HEADER, LeftOut, Map};
use crate::process::{Launch, Tmp};
use crate::sys::SharedWords;

/// Programs whose own code tells little about the server that they run.
const INTERPRETERS: [&str; 13] = [
    "beam", "bun", "deno", "dotnet", "java", "lua", "mono", "node", "perl", "php", "python",
    "ruby", "tclsh",
];
/// Tells the hook where the map is, and which folder is another one in every life of the server.
const MAP: &str = "TCPROVE_COVERAGE";
const FOLDER: &str = "TCPROVE_COVERAGE_TMP";
/// The file to which the hooks append constants of the functions that were reached, in hexadecimal.
const WORDS: &str = "words";
/// Maximum bytes of it that are read, and maximum words.
const WORDS_BYTES_MAX: u64 = 1 << 20;
const WORDS_MAX: usize = 1024;
/// Places of a map.
const PLACES: usize = 1 << 17;

/// The file name of a program.
pub(crate) fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

/// The name of the interpreter if there is nothing but interpreters.
pub(super) fn only_interpreters(programs: &[PathBuf]) -> Option<&str> {
    let is_one = |path: &PathBuf| {
        INTERPRETERS
            .iter()
            .any(|known| name(path).starts_with(known))
    };
    let first = programs.first()?;
    programs.iter().all(is_one).then(|| name(first))
}

/// Whether one of the programs is this interpreter.
pub(super) fn runs(programs: &[PathBuf], interpreter: &str) -> bool {
    programs
        .iter()
        .any(|path| name(path).starts_with(interpreter))
}

/// The value of a variable with which an interpreter runs the hook in this folder, given the value without.
pub(super) type Joined = fn(&Path, Option<String>) -> String;

/// A hook in the interpreter of a server.
#[derive(Debug)]
pub(super) struct Hook {
    folder: Tmp,
    /// The variable that makes the interpreter run the hook, and its value.
    variable: (String, String),
    left_out: Arc<LeftOut>,
    /// Why the hook sees nothing, by its state.
    trouble: fn(u32) -> Option<String>,
    /// Lives so far.
    lives: AtomicUsize,
    /// Whether the server runs as another user.
    is_for_others: bool,
}

impl Hook {
    /// Writes the script of this name into a folder of its own. `variable` is what makes the interpreter run it.
    ///
    /// # Errors
    /// The folder cannot be created.
    pub(super) fn new(
        launch: &Launch,
        script: (&str, &str),
        variable: (&str, Joined),
        trouble: fn(u32) -> Option<String>,
    ) -> Result<Self, String> {
        let written = || -> io::Result<Tmp> {
            let folder = Tmp::new()?;
            fs::write(folder.path().join(script.0), script.1)?;
            let words = File::create_new(folder.path().join(WORDS))?;
            if launch.user.is_some() {
                fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
                words.set_permissions(Permissions::from_mode(0o666))?;
            }
            Ok(folder)
        };
        let folder = written().map_err(|error| format!("its hook cannot be written: {error}"))?;
        let (name, value) = variable;
        let before = launch.env.get(name).cloned();
        let before = before.or_else(|| std::env::var(name).ok());
        let before = before.filter(|value| !value.is_empty());
        Ok(Self {
            variable: (name.into(), value(folder.path(), before)),
            folder,
            left_out: LeftOut::new(PLACES),
            trouble,
            lives: AtomicUsize::new(0),
            is_for_others: launch.user.is_some(),
        })
    }

    /// A map for the next life of the server.
    ///
    /// # Errors
    /// No descriptor or no memory is left.
    pub(super) fn map(&self) -> io::Result<Map> {
        let life = self.lives.fetch_add(1, Ordering::Relaxed);
        let file = self.folder.path().join(format!("{life}.map"));
        let words = HEADER + PLACES / size_of::<u32>();
        let opened = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&file)?;
        opened.set_len((words * size_of::<u32>()) as u64)?;
        if self.is_for_others {
            opened.set_permissions(Permissions::from_mode(0o666))?;
        }
        let env = [(MAP, file.display().to_string()), (FOLDER, "{tmp}".into())];
        let env = env.map(|(name, value)| (name.to_owned(), value));
        let env = env.into_iter().chain([self.variable.clone()]).collect();
        let form = Form::Hook {
            left_out: self.left_out.clone(),
            trouble: self.trouble,
            file,
        };
        Ok(Map::new(SharedWords::map(&opened, words)?, form, env))
    }

    pub(super) fn places(&self) -> usize {
        self.left_out.places()
    }

    /// The constants of the functions that were reached, those of the newest first.
    pub(super) fn words(&self) -> Vec<Vec<u8>> {
        let mut text = Vec::new();
        if let Ok(file) = File::open(self.folder.path().join(WORDS)) {
            // What could be read counts.
            let _ = file.take(WORDS_BYTES_MAX).read_to_end(&mut text);
        }
        let mut words: Vec<Vec<u8>> = Vec::new();
        for line in text.split(|byte| *byte == b'\n').rev() {
            match bytes_of(line) {
                Some(word) if words.len() < WORDS_MAX && !words.contains(&word) => words.push(word),
                _ => {}
            }
        }
        words
    }

    pub(super) fn leave_out(&self, place: u32) {
        self.left_out.add(place);
    }
}

/// The bytes that hexadecimal digits stand for; `None` if there are none.
fn bytes_of(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |two: &[u8]| u8::try_from(digit(two[0])? * 16 + digit(*two.get(1)?)?).ok();
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
    bytes.filter(|bytes| !bytes.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits() {
        assert_eq!(bytes_of(b"4a0fFF"), Some(vec![0x4a, 0x0f, 0xff]));
        assert_eq!([&b""[..], b"4", b"4g"].map(bytes_of), [const { None }; 3]);
    }

    #[test]
    fn interpreters_are_told_by_their_names() {
        let only = |paths: &[&str]| {
            let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
            only_interpreters(&paths).map(str::to_owned)
        };
        assert_eq!(only(&["/usr/bin/python3.11"]), Some("python3.11".into()));
        assert_eq!(only(&["/usr/bin/node", "/usr/sbin/nginx"]), None);
        assert_eq!(only(&["/usr/sbin/nginx"]), None);
        assert_eq!(only(&[]), None);
    }
}
