//! Hooks in interpreters: a script that the environment makes them run first, and a map in a file to which it writes.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::map::{Form, HEADER, LeftOut, Map};
use crate::process::{Hook, Interpreter, Launch, escaped, is_interpreter, program_name};
use crate::sys::SharedWords;

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

/// The name of the interpreter if there is nothing but interpreters.
pub(super) fn only_interpreters(programs: &[PathBuf]) -> Option<&str> {
    let first = programs.first()?;
    let only = programs.iter().all(|path| is_interpreter(path));
    only.then(|| program_name(first))
}

/// A hook that tells what an interpreter executes.
#[derive(Debug)]
pub(super) struct Watcher {
    hook: Hook,
    left_out: Arc<LeftOut>,
    /// Why the hook sees nothing, by its state.
    trouble: fn(u32) -> Option<String>,
    /// Lives so far.
    lives: AtomicUsize,
}

impl Watcher {
    /// Writes the hook that runs this script.
    ///
    /// # Errors
    /// The folder cannot be created.
    pub(super) fn new(
        launch: &Launch,
        interpreter: Interpreter,
        script: &str,
        trouble: fn(u32) -> Option<String>,
    ) -> Result<Self, String> {
        let written = || -> io::Result<Hook> {
            let hook = Hook::new(launch, interpreter, script)?;
            hook.share(&File::create_new(hook.folder().join(WORDS))?)?;
            Ok(hook)
        };
        let hook = written().map_err(|error| format!("its hook cannot be written: {error}"))?;
        Ok(Self {
            hook,
            left_out: LeftOut::new(PLACES),
            trouble,
            lives: AtomicUsize::new(0),
        })
    }

    /// A map for the next life of the server.
    ///
    /// # Errors
    /// No descriptor or no memory is left.
    pub(super) fn map(&self) -> io::Result<Map> {
        let life = self.lives.fetch_add(1, Ordering::Relaxed);
        let file = self.hook.folder().join(format!("{life}.map"));
        let words = HEADER + PLACES / size_of::<u32>();
        let opened = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&file)?;
        opened.set_len((words * size_of::<u32>()) as u64)?;
        self.hook.share(&opened)?;
        let env = [(MAP, escaped(&file)), (FOLDER, "{tmp}".into())];
        let env = env.map(|(name, value)| (name.to_owned(), value));
        let env = env
            .into_iter()
            .chain([self.hook.variable.clone()])
            .collect();
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
        if let Ok(file) = File::open(self.hook.folder().join(WORDS)) {
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
    fn other_programs_tell_of_themselves() {
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
