//! Whether base and candidate are the same command: then there is nothing to compare.
//!
//! What counts is what was asked for, not the file that it leads to. Two Python environments link to one interpreter,
//! and two working copies of a Node.js program may contain the same script: what these load from the folders around
//! them differs.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use crate::data::hash::Fnv1a;
use crate::process::Launch;

/// How two commands are related.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    /// The same words, or the same files by other paths, in the same folder and environment.
    SameCommand,
    /// Other paths, but to files with the same content: a difference can only come from what these load.
    SameContent,
    /// Different programs or arguments.
    Different,
}

/// Compares two commands.
pub(crate) fn relation(base: &Launch, candidate: &Launch) -> Relation {
    let is_alike = base.cmd.len() == candidate.cmd.len()
        && base.params == candidate.params
        && base.env == candidate.env;
    if !is_alike {
        return Relation::Different;
    }
    let words = || base.cmd.iter().zip(&candidate.cmd).enumerate();
    let all = |is_one: fn(&Path, &Path) -> bool| {
        words().all(|(place, (one, other))| {
            let one_file = file_of(one, base, place == 0);
            let other_file = file_of(other, candidate, place == 0);
            match one_file.zip(other_file) {
                Some((one, other)) => is_one(&one, &other),
                None => one == other,
            }
        })
    };
    if is_same_place(&base.cwd, &candidate.cwd) && all(is_same_place) {
        Relation::SameCommand
    } else if all(|one, other| has_same_content(one, other).unwrap_or(false)) {
        Relation::SameContent
    } else {
        Relation::Different
    }
}

/// A hash of the files that the words of a command name, so that a program built anew can be told from the one before.
/// `None` if it names none.
///
/// # Errors
/// One cannot be read.
pub(crate) fn content(launch: &Launch) -> std::io::Result<Option<String>> {
    let words = launch.cmd.iter().enumerate();
    let files = words.filter_map(|(place, word)| file_of(word, launch, place == 0));
    let mut hash: Option<Fnv1a> = None;
    for file in files.filter(|file| file.is_file()) {
        let mut content = BufReader::new(File::open(file)?);
        let hash = hash.get_or_insert_with(Fnv1a::default);
        loop {
            let bytes = content.fill_buf()?;
            if bytes.is_empty() {
                break;
            }
            hash.add(bytes);
            let count = bytes.len();
            content.consume(count);
        }
    }
    Ok(hash.map(|hash| format!("{:016x}", hash.value())))
}

/// The file that a word names, if there is one.
fn file_of(word: &str, launch: &Launch, is_program: bool) -> Option<PathBuf> {
    let file = match is_program {
        true => program_file(word)?,
        false => launch.cwd.join(word),
    };
    file.exists().then_some(file)
}

/// Whether two paths name one entry of one folder. What the entry links to is not looked at.
fn is_same_place(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let path = std::path::absolute(path).ok()?;
        match (path.parent(), path.file_name()) {
            (Some(folder), Some(name)) => Some(folder.canonicalize().ok()?.join(name)),
            _ => path.canonicalize().ok(),
        }
    };
    one == other || place(one).is_some_and(|one| Some(one) == place(other))
}

/// The file that a shell would start by this name.
pub(crate) fn program_file(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| path.is_file());
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

fn has_same_content(one: &Path, other: &Path) -> std::io::Result<bool> {
    if std::fs::canonicalize(one)? == std::fs::canonicalize(other)? {
        return Ok(true);
    }
    let (one, other) = (File::open(one)?, File::open(other)?);
    let (sizes, are_files) = (
        [one.metadata()?.len(), other.metadata()?.len()],
        one.metadata()?.is_file() && other.metadata()?.is_file(),
    );
    if sizes[0] != sizes[1] || !are_files {
        return Ok(false);
    }
    let (mut one, mut other) = (BufReader::new(one), BufReader::new(other));
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let count = left.len().min(right.len());
        if left[..count] != right[..count] {
            return Ok(false);
        }
        if count == 0 {
            return Ok(left.len() == right.len());
        }
        one.consume(count);
        other.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(words: &[&str]) -> Launch {
        Launch::new("x", words.iter().copied())
    }

    fn related(one: &[&str], other: &[&str]) -> Relation {
        relation(&launch(one), &launch(other))
    }

    /// A folder with these files.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
        }
        folder
    }

    #[test]
    fn the_same_words_or_other_paths_to_the_same_files_are_the_same_command() {
        let folder = folder(&[("a", "one"), ("b", "two"), ("in/a", "three")]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("link")).unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (a, b) = (path("a"), path("b"));
        let ways = [path("./a"), path("in/../a"), path("link/a")];
        for other in ways.iter().chain([&a]) {
            assert_eq!(related(&[&a, "-v"], &[other, "-v"]), Relation::SameCommand);
            assert_eq!(related(&["sh", &a], &["sh", other]), Relation::SameCommand);
        }
        let sh = program_file("sh").unwrap().display().to_string();
        assert_eq!(related(&["sh"], &[&sh]), Relation::SameCommand);
        for (one, other) in [
            (&[&a, "-v"][..], &[&b, "-v"][..]),
            (&[&a], &[&a, "-v"]),
            (&["sh", "-x"], &["sh", "-y"]),
        ] {
            assert_eq!(related(one, other), Relation::Different);
        }
        assert!(program_file("no-such-program").is_none());
    }

    #[test]
    fn folders_and_variables_are_part_of_the_command() {
        let base = launch(&["sh", "-x"]);
        let with = Launch {
            params: [("n".to_owned(), "1".to_owned())].into(),
            ..base.clone()
        };
        let env = Launch {
            env: [("N".to_owned(), "1".to_owned())].into(),
            ..base.clone()
        };
        let there = Launch {
            cwd: std::env::temp_dir(),
            ..base.clone()
        };
        assert_eq!(relation(&base, &base.clone()), Relation::SameCommand);
        for other in [with, env] {
            assert_eq!(relation(&base, &other), Relation::Different);
        }
        assert_eq!(relation(&base, &there), Relation::SameContent);
    }

    #[test]
    fn two_virtual_environments_and_two_working_copies_are_two_programs() {
        let both = folder(&[
            ("python", "an interpreter"),
            ("one/pyvenv.cfg", ""),
            ("other/pyvenv.cfg", ""),
            ("one/server.js", "require('x')"),
            ("other/server.js", "require('x')"),
        ]);
        let path = |name: &str| both.path().join(name).display().to_string();
        for venv in ["one", "other"] {
            std::fs::create_dir(both.path().join(venv).join("bin")).unwrap();
            let link = both.path().join(venv).join("bin/python");
            std::os::unix::fs::symlink(both.path().join("python"), link).unwrap();
        }
        let [one, other] = ["one/bin/python", "other/bin/python"].map(path);
        let [a, b] = ["one/server.js", "other/server.js"].map(path);
        for (base, candidate) in [
            (&[&one, "-m", "x"], &[&other, "-m", "x"]),
            (&["sh", &a, "x"], &["sh", &b, "x"]),
        ] {
            assert_eq!(related(base, candidate), Relation::SameContent);
            assert_eq!(related(base, base), Relation::SameCommand);
        }
    }
}
