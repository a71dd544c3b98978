//! Detects that base and candidate are the same program: then there is nothing to compare.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use crate::process::Launch;

/// Whether both commands start the same program: word by word they have the same text, or name files with the same
/// content.
pub(crate) fn is_same(base: &Launch, candidate: &Launch) -> bool {
    let places = [&base.cwd, &candidate.cwd];
    let words = base.cmd.iter().zip(&candidate.cmd).enumerate();
    base.cmd.len() == candidate.cmd.len()
        && base.params == candidate.params
        && base.env == candidate.env
        && words.into_iter().all(|(place, (one, other))| {
            one == other || is_same_file(place == 0, [one, other], places)
        })
}

fn is_same_file(is_program: bool, words: [&str; 2], folders: [&PathBuf; 2]) -> bool {
    let find = |word: &str, folder: &PathBuf| {
        if is_program {
            program_file(word)
        } else {
            Some(folder.join(word))
        }
    };
    let [one, other] = words;
    match find(one, folders[0]).zip(find(other, folders[1])) {
        Some((one, other)) => has_same_content(&one, &other).unwrap_or(false),
        None => false,
    }
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

    #[test]
    fn a_copy_is_the_same_and_another_build_or_argument_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (a, copy, b) = (file("a", "one"), file("copy", "one"), file("b", "two"));
        let same = |one: &[&str], other: &[&str]| is_same(&launch(one), &launch(other));
        assert!(same(&[&a, "{port}"], &[&copy, "{port}"]));
        assert!(same(&["sh", &a], &["sh", &copy]));
        assert!(!same(&[&a, "{port}"], &[&b, "{port}"]));
        assert!(!same(&["sh", &a], &["sh", &b]));
        assert!(!same(&[&a, "{port}"], &[&a, "{port}", "-v"]));
        assert!(!same(&["sh", "-x"], &["sh", "-y"]));
        let with = Launch {
            params: [("n".to_owned(), "1".to_owned())].into(),
            ..launch(&[&a])
        };
        assert!(!is_same(&launch(&[&a]), &with));
        assert!(program_file("sh").is_some() && program_file("no-such-program").is_none());
    }
}
